//! What is checked of a keystore file before its password is tried.
//!
//! The file names the work and the memory of its own key derivation, and the lengths that the
//! cipher relies on; the library takes all of them as they are. So they are bounded here first.
//!
//! Source: the Web3 Secret Storage Definition, version 3; scrypt, RFC 7914 section 2.

use serde_json::Value;

/// Largest keystore file; real ones have half a kilobyte.
pub const KEYSTORE_BYTES_MAX: u64 = 64 << 10;
/// Most memory that deriving a key may take: 128 * n * r bytes. Geth's strongest setting takes 256 MiB.
const SCRYPT_BYTES_MAX: u64 = 512 << 20;
/// Most passes over that memory.
const SCRYPT_PASSES_MAX: u64 = 16;
/// Most rounds of PBKDF2; the usual number is 262,144.
const ROUNDS_MAX: u64 = 10_000_000;
const KEY_BYTES: u64 = 32;
const IV_BYTES: usize = 16;

/// Why a keystore file is refused unopened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    /// Larger than any keystore.
    #[error("{found} bytes or more, a keystore has at most {KEYSTORE_BYTES_MAX}")]
    Large {
        /// Bytes that were there.
        found: u64,
    },
    /// No JSON, or not of this shape.
    #[error("no keystore: {0}")]
    Json(String),
    /// A field is missing or of another kind.
    #[error("no keystore: {field} is missing or not {expected}")]
    Field {
        /// Its path.
        field: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
    /// A number is beyond what is done for a keystore.
    #[error("keystore: {field} is {found}, {expected}")]
    Number {
        /// Its path.
        field: &'static str,
        /// As it stands there.
        found: u64,
        /// What is taken.
        expected: &'static str,
    },
}

/// Whether the file's numbers are such that opening it takes bounded work and memory and reads no
/// byte that is not there.
pub fn check_keystore(bytes: &[u8]) -> Result<(), KeystoreError> {
    let found = bytes.len() as u64;
    if KEYSTORE_BYTES_MAX < found {
        return Err(KeystoreError::Large { found });
    }
    let file: Value =
        serde_json::from_slice(bytes).map_err(|error| KeystoreError::Json(error.to_string()))?;
    let crypto = &file["crypto"];
    let iv = crypto["cipherparams"]["iv"].as_str().unwrap_or_default();
    if iv.len() != 2 * IV_BYTES {
        return Err(KeystoreError::Field {
            field: "crypto.cipherparams.iv",
            expected: "16 bytes in hexadecimal",
        });
    }
    let params = &crypto["kdfparams"];
    let number = |field: &'static str, name: &str| {
        let expected = "a whole number";
        let missing = KeystoreError::Field { field, expected };
        params[name].as_u64().ok_or(missing)
    };
    let dklen = number("crypto.kdfparams.dklen", "dklen")?;
    bounded(
        "crypto.kdfparams.dklen",
        dklen,
        dklen == KEY_BYTES,
        "not 32",
    )?;
    // The library tells the two derivations apart by these fields, so exactly one may be there.
    match (params.get("c"), params.get("n")) {
        (Some(_), None) => {
            let rounds = number("crypto.kdfparams.c", "c")?;
            let fits = (1..=ROUNDS_MAX).contains(&rounds);
            bounded("crypto.kdfparams.c", rounds, fits, "not 1 to 10,000,000")
        }
        (None, Some(_)) => {
            let n = number("crypto.kdfparams.n", "n")?;
            let r = number("crypto.kdfparams.r", "r")?;
            let p = number("crypto.kdfparams.p", "p")?;
            let (power, above) = (n.is_power_of_two(), 1 < n);
            bounded(
                "crypto.kdfparams.n",
                n,
                power && above,
                "no power of two above 1",
            )?;
            let memory = n.saturating_mul(r).saturating_mul(128);
            let fits = 0 < r && memory <= SCRYPT_BYTES_MAX;
            bounded(
                "crypto.kdfparams.r",
                r,
                fits,
                "not such that 128*n*r is at most 512 MiB",
            )?;
            let fits = (1..=SCRYPT_PASSES_MAX).contains(&p);
            bounded("crypto.kdfparams.p", p, fits, "not 1 to 16")
        }
        (None, None) | (Some(_), Some(_)) => Err(KeystoreError::Field {
            field: "crypto.kdfparams",
            expected: "of scrypt (n, r, p) or of PBKDF2 (c)",
        }),
    }
}

fn bounded(
    field: &'static str,
    found: u64,
    fits: bool,
    expected: &'static str,
) -> Result<(), KeystoreError> {
    if fits {
        Ok(())
    } else {
        Err(KeystoreError::Number {
            field,
            found,
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(params: &str, iv: &str) -> Vec<u8> {
        let text = format!(
            r#"{{"crypto":{{"cipherparams":{{"iv":"{iv}"}},"kdfparams":{params}}},"version":3}}"#
        );
        text.into_bytes()
    }

    const IV: &str = "6087dab2f9fdbbfaddc31a909735c1e6";

    #[test]
    fn both_derivations_pass_with_the_numbers_that_wallets_write() {
        for params in [
            r#"{"dklen":32,"n":262144,"r":8,"p":1,"salt":"00"}"#,
            r#"{"dklen":32,"n":8192,"r":8,"p":1,"salt":"00"}"#,
            r#"{"dklen":32,"c":262144,"prf":"hmac-sha256","salt":"00"}"#,
        ] {
            assert_eq!(check_keystore(&file(params, IV)), Ok(()), "{params}");
        }
    }

    #[test]
    fn a_number_that_would_take_all_memory_or_read_past_the_end_is_named() {
        for (params, field) in [
            (r#"{"dklen":16,"c":1}"#, "crypto.kdfparams.dklen"),
            (r#"{"dklen":32,"c":4294967295}"#, "crypto.kdfparams.c"),
            (r#"{"dklen":32,"n":3,"r":8,"p":1}"#, "crypto.kdfparams.n"),
            (r#"{"dklen":32,"n":1,"r":8,"p":1}"#, "crypto.kdfparams.n"),
            (
                r#"{"dklen":32,"n":2147483648,"r":8,"p":1}"#,
                "crypto.kdfparams.r",
            ),
            (r#"{"dklen":32,"n":8192,"r":0,"p":1}"#, "crypto.kdfparams.r"),
            (
                r#"{"dklen":32,"n":8192,"r":8,"p":4294967295}"#,
                "crypto.kdfparams.p",
            ),
        ] {
            let refused = check_keystore(&file(params, IV)).expect_err(params);
            assert!(
                matches!(refused, KeystoreError::Number { field: f, .. } if f == field),
                "{params}: {refused}"
            );
        }
        let short = check_keystore(&file(r#"{"dklen":32,"c":1}"#, "60"));
        assert!(
            matches!(short, Err(KeystoreError::Field { .. })),
            "{short:?}"
        );
    }

    #[test]
    fn what_is_no_keystore_is_refused() {
        for text in ["", "[]", "{}", "{\"crypto\":1}", "\u{0}"] {
            assert!(check_keystore(text.as_bytes()).is_err(), "{text}");
        }
        let both = r#"{"dklen":32,"c":1,"n":2,"r":1,"p":1}"#;
        assert!(check_keystore(&file(both, IV)).is_err());
        let large = vec![b' '; 64 << 10 | 1];
        assert_eq!(
            check_keystore(&large),
            Err(KeystoreError::Large { found: 65_537 })
        );
    }
}
