//! Keys: a raw secret, or an encrypted keystore file.

use std::fmt::Display;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use alloy_primitives::{Address, B256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;

use crate::error::ChainError;
use crate::keystore::{KEYSTORE_BYTES_MAX, check_keystore};

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

    /// From a JSON keystore (Web3 Secret Storage) and its password. The file is checked first: it
    /// names the work and memory of its own opening.
    pub fn from_keystore(path: &Path, password: &str) -> Result<Self, ChainError> {
        let refuse = |what: &dyn Display| ChainError::Key(format!("{}: {what}", path.display()));
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(KEYSTORE_BYTES_MAX + 1).read_to_end(&mut bytes))
            .map_err(|error| refuse(&error))?;
        check_keystore(&bytes).map_err(|error| refuse(&error))?;
        PrivateKeySigner::decrypt_keystore(path, password)
            .map(Self)
            .map_err(|error| refuse(&error))
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
