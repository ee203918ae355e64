//! Keys: a raw secret, or an encrypted keystore file.

use std::path::Path;

use alloy_primitives::{Address, B256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;

use crate::error::ChainError;

/// A secp256k1 key that signs transactions and receipts.
#[derive(Clone)]
pub struct Key(pub(crate) PrivateKeySigner);

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Key({})", self.address())
    }
}

impl Key {
    /// From the 32 secret bytes.
    pub fn from_secret(secret: [u8; 32]) -> Result<Self, ChainError> {
        PrivateKeySigner::from_bytes(&B256::from(secret))
            .map(Self)
            .map_err(|error| ChainError::Key(error.to_string()))
    }

    /// From a JSON keystore (Web3 Secret Storage) and its password.
    pub fn from_keystore(path: &Path, password: &str) -> Result<Self, ChainError> {
        PrivateKeySigner::decrypt_keystore(path, password)
            .map(Self)
            .map_err(|error| ChainError::Key(format!("{}: {error}", path.display())))
    }

    /// The account.
    pub fn address(&self) -> Address {
        self.0.address()
    }

    /// Signs a 32-byte digest: r, s, v with v 27 or 28.
    pub fn sign_digest(&self, digest: [u8; 32]) -> Result<[u8; 65], ChainError> {
        let signature = self
            .0
            .sign_hash_sync(&B256::from(digest))
            .map_err(|error| ChainError::Key(error.to_string()))?;
        Ok(signature.as_bytes())
    }
}
