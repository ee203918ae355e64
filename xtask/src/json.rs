//! JSON with one byte form: keys sorted, short values on one line.

use serde_json::Value;

/// Longest value that stays on one line.
const LINE_MAX: usize = 110;

/// The one rendering of `value`, ending with a newline.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out.push('\n');
    out
}

/// The text of `value` at `path`, or an error that names the path.
pub fn text_at<'a>(value: &'a Value, path: &[&str]) -> Result<&'a str, String> {
    at(value, path)?
        .as_str()
        .ok_or_else(|| format!("{} is not a text", path.join(".")))
}

/// The value at `path`, or an error that names the path.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Result<&'a Value, String> {
    path.iter().try_fold(value, |inner, &key| {
        inner
            .get(key)
            .ok_or_else(|| format!("no {key} in {}", path.join(".")))
    })
}

fn write(value: &Value, depth: usize, out: &mut String) {
    let line = compact(value);
    match value {
        Value::Array(items) if depth == 0 || line.len() > LINE_MAX => {
            let rows = items.iter().map(|item| (String::new(), item));
            block(rows, ['[', ']'], depth, out);
        }
        Value::Object(map) if depth == 0 || line.len() > LINE_MAX => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            let rows = entries
                .into_iter()
                .map(|(key, item)| (format!("{}: ", Value::from(key.as_str())), item));
            block(rows, ['{', '}'], depth, out);
        }
        _ => out.push_str(&line),
    }
}

fn block<'a>(
    rows: impl Iterator<Item = (String, &'a Value)>,
    [open, close]: [char; 2],
    depth: usize,
    out: &mut String,
) {
    out.push(open);
    let mut separator = "\n";
    for (key, item) in rows {
        out.push_str(separator);
        out.push_str(&"  ".repeat(depth + 1));
        out.push_str(&key);
        write(item, depth + 1, out);
        separator = ",\n";
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}

fn compact(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(compact).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            let entries: Vec<String> = entries
                .into_iter()
                .map(|(key, item)| format!("{}: {}", Value::from(key.as_str()), compact(item)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_the_text_reads_back_to_the_same_value() {
        let value = json!({"b": [1, {"z": "x".repeat(120), "a": null}], "a": "\n\""});
        let text = canonical(&value);
        assert!(text.find("\"a\"") < text.find("\"b\""));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
