//! Recovery of a signer's address from 65 bytes: r, s, v with v 27 or 28.
//!
//! The lower half of s only: the other half signs the same digest and would make two receipts of one.
//! Source: SEC 1, section 4.1.6; EIP-2.

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use selfsame_protocol::{Hash, keccak256};

use crate::Address;

/// Why a signature names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// v is neither 27 nor 28.
    #[error("v is {0}, a signature has 27 or 28")]
    V(u8),
    /// r or s is out of range, or s is in the upper half.
    #[error("r or s is out of range, or s is in the upper half of the order")]
    Scalars,
    /// No public key fits.
    #[error("no public key fits the signature")]
    NoKey,
}

/// The address whose key signed `digest`.
pub fn recover(digest: Hash, signature: &[u8; 65]) -> Result<Address, SignatureError> {
    let [scalars @ .., v] = signature;
    let parity = match v {
        27 => false,
        28 => true,
        &other => return Err(SignatureError::V(other)),
    };
    let parsed = Signature::from_slice(scalars).map_err(|_| SignatureError::Scalars)?;
    if parsed.normalize_s().is_some() {
        return Err(SignatureError::Scalars);
    }
    let key =
        VerifyingKey::recover_from_prehash(&digest.0, &parsed, RecoveryId::new(parity, false))
            .map_err(|_| SignatureError::NoKey)?;
    let point = key.to_encoded_point(false);
    let hash = keccak256(point.as_bytes().get(1..).unwrap_or_default());
    let mut address = [0; 20];
    address.copy_from_slice(&hash.0[12..]);
    Ok(address)
}

#[cfg(test)]
mod tests {
    use k256::ecdsa::SigningKey;

    use super::*;

    fn sign(secret: u8, digest: Hash) -> [u8; 65] {
        let mut bytes = [0; 32];
        bytes[31] = secret;
        let key = SigningKey::from_slice(&bytes).unwrap();
        let (signature, id) = key.sign_prehash_recoverable(&digest.0).unwrap();
        let mut out = [0; 65];
        out[..64].copy_from_slice(&signature.to_bytes());
        out[64] = 27 + id.to_byte();
        out
    }

    #[test]
    fn the_key_one_signs_for_its_published_address() {
        let digest = keccak256(b"x");
        let address = recover(digest, &sign(1, digest)).unwrap();
        let want = [
            0x7e, 0x5f, 0x45, 0x52, 0x09, 0x1a, 0x69, 0x12, 0x5d, 0x5d, 0xfc, 0xb7, 0xb8, 0xc2,
            0x65, 0x90, 0x29, 0x39, 0x5b, 0xdf,
        ];
        assert_eq!(address, want);
    }

    #[test]
    fn a_wrong_v_a_zero_and_the_twin_of_s_are_refused() {
        let digest = keccak256(b"x");
        let good = sign(1, digest);
        let mut bad = good;
        bad[64] = 29;
        assert_eq!(recover(digest, &bad), Err(SignatureError::V(29)));
        let mut zero = good;
        zero[..32].fill(0);
        assert_eq!(recover(digest, &zero), Err(SignatureError::Scalars));
        // n - s, with n the order of the curve.
        let order =
            Hash::from_hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
                .unwrap()
                .0;
        let mut twin = good;
        let mut borrow = 0_i32;
        for at in (0..32).rev() {
            let digit = i32::from(order[at]) - i32::from(good[32 + at]) - borrow;
            borrow = i32::from(digit < 0);
            twin[32 + at] = u8::try_from(digit.rem_euclid(256)).unwrap();
        }
        twin[64] = 55 - good[64];
        assert_eq!(recover(digest, &twin), Err(SignatureError::Scalars));
    }
}
