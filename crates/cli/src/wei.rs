//! Amounts: wei inside and in JSON, ether for people.

use selfsame_chain::U256;

const ETHER: u128 = 1_000_000_000_000_000_000;

/// Parses `1.5`, `1.5ether`, `2gwei` or `7wei`; a bare number is ether.
pub(crate) fn parse(text: &str) -> Result<u128, String> {
    let units = [("ether", ETHER), ("gwei", 1_000_000_000), ("wei", 1)];
    let suffix = units.iter().find(|(name, _)| text.ends_with(name));
    // "gwei" ends with "wei": the longer names come first.
    let (number, unit) = match suffix {
        Some((name, unit)) => (text.trim_end_matches(name).trim_end(), *unit),
        None => (text, ETHER),
    };
    let refuse = || format!("{text:?} is no amount; write 0.5, 0.5ether, 20gwei or 7wei");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(refuse());
    }
    let mut amount: u128 = match whole {
        "" => 0,
        whole => whole.parse().map_err(|_| refuse())?,
    };
    amount = amount.checked_mul(unit).ok_or_else(refuse)?;
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        let value = u128::from(digit - b'0');
        if place == 0 && value != 0 {
            return Err(format!("{text:?} is no whole number of wei"));
        }
        amount = amount.checked_add(value * place).ok_or_else(refuse)?;
    }
    Ok(amount)
}

/// An amount in ether with six digits after the point, rounded towards zero.
pub(crate) fn ether(wei: u128) -> String {
    let micro = wei / (ETHER / 1_000_000);
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}

/// A difference in ether with its sign.
pub(crate) fn ether_signed(wei: i128) -> String {
    let sign = match wei.signum() {
        -1 => "-",
        0 => " ",
        _ => "+",
    };
    format!("{sign}{}", ether(wei.unsigned_abs()))
}

/// A chain's word as an amount; amounts beyond 128 bits do not occur and saturate.
pub(crate) fn narrow(amount: U256) -> u128 {
    u128::try_from(amount).unwrap_or(u128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        for (text, want) in [
            ("1", ETHER),
            ("0.5", ETHER / 2),
            (".25ether", ETHER / 4),
            ("20gwei", 20_000_000_000),
            ("7wei", 7),
            ("7 wei", 7),
            ("0.000000000000000001", 1),
        ] {
            assert_eq!(parse(text), Ok(want), "{text}");
        }
        for text in ["", ".", "-1", "1e3", "0.5wei", "1.0000000000000000001", "x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn differences_carry_their_sign() {
        assert_eq!(ether_signed(-1_500_000_000_000_000_000), "-1.500000");
        assert_eq!(ether_signed(0), " 0.000000");
        assert_eq!(ether(ETHER / 3), "0.333333");
    }
}
