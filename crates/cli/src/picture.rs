//! Small pictures in a terminal: two rows of samples in one line of block characters.

/// Shades from empty to full.
const SHADES: [char; 5] = [' ', '\u{2591}', '\u{2592}', '\u{2593}', '\u{2588}'];

/// Lines that show `samples` (0 to 1, row-major, `width` in a row), at most `lines` of them.
///
/// A character is about twice as high as it is wide, so it shows two columns for each row.
pub(crate) fn lines(samples: &[f32], width: usize, lines: usize) -> Vec<String> {
    let height = samples.len() / width.max(1);
    if width == 0 || height == 0 || lines == 0 {
        return Vec::new();
    }
    let rows = height.min(lines);
    let columns = rows * 2 * width / height;
    let mean = |row: usize, column: usize| {
        let ys = row * height / rows..((row + 1) * height).div_ceil(rows).min(height);
        let xs = column * width / columns..((column + 1) * width).div_ceil(columns).min(width);
        let (mut sum, mut count) = (0.0, 0.0);
        for y in ys {
            for x in xs.clone() {
                sum += samples[y * width + x];
                count += 1.0;
            }
        }
        if count > 0.0 { sum / count } else { 0.0 }
    };
    let shade = |value: f32| {
        let level = [0.12, 0.35, 0.6, 0.82]
            .iter()
            .filter(|&&bound| bound < value)
            .count();
        SHADES[level]
    };
    (0..rows)
        .map(|row| {
            (0..columns)
                .map(|column| shade(mean(row, column)))
                .collect()
        })
        .collect()
}

/// A bar of `cells` characters, filled for the share `part` of `whole`.
pub(crate) fn bar(part: u64, whole: u64, cells: usize) -> String {
    let cells = cells as u64;
    let full = (part.saturating_mul(cells) + whole / 2)
        .checked_div(whole)
        .unwrap_or(0)
        .min(cells);
    let glyph = |cell: u64| if cell < full { '\u{2588}' } else { '\u{2591}' };
    (0..cells).map(glyph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_picture_is_twice_as_many_characters_wide_as_high() {
        let mut samples = vec![0.0; 28 * 28];
        samples[0] = 1.0;
        let shown = lines(&samples, 28, 14);
        assert_eq!(shown.len(), 14);
        assert!(shown.iter().all(|line| line.chars().count() == 28));
        assert!(shown[1].trim().is_empty() && !shown[0].trim().is_empty());
        assert!(lines(&[], 28, 14).is_empty());
    }

    #[test]
    fn a_bar_is_full_for_the_whole_and_empty_for_nothing() {
        assert_eq!(bar(4, 4, 4), "\u{2588}".repeat(4));
        assert_eq!(bar(0, 4, 4), "\u{2591}".repeat(4));
        assert_eq!(bar(1, 0, 2), "\u{2591}".repeat(2));
    }
}
