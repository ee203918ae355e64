//! The assurance levels, and who could check an answer.
//!
//! Spec: claims, 3.13 and 3.14.

use core::fmt;

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$doc])* $variant = $code,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code on chain.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The value of a code.
            pub fn from_code(code: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.code() == code)
            }

            /// The word that people read.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value of a word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

codes! {
    /// What kind of evidence stands behind an answer.
    Level {
        /// A provider signed it; its stake stands behind the signature.
        Signed = 1, "signed";
        /// Several providers sealed and revealed the same output.
        Quorum = 2, "quorum";
        /// It belongs to a population that is audited at random.
        Sampled = 3, "sampled";
        /// Claimed on chain with a bond; the window is open.
        OptimisticOpen = 4, "optimistic-open";
        /// Claimed on chain with a bond; the window ended and no challenge succeeded.
        OptimisticFinal = 5, "optimistic-final";
        /// A trusted execution environment attested it.
        Attested = 6, "attested";
        /// A validity proof was checked.
        Proved = 7, "proved";
        /// A contract executed the whole program.
        OnChain = 8, "on-chain";
    }
}

codes! {
    /// Where the bytes of a request's input are.
    Availability {
        /// In the request's calldata.
        OnChain = 0, "on-chain";
        /// At a locator that anyone may fetch.
        Published = 1, "published";
        /// With the parties only.
        Private = 2, "private";
    }
}

codes! {
    /// Who could have checked an answer.
    CheckableBy {
        /// Input and weights are on chain.
        Anyone = 0, "anyone";
        /// Whoever holds the model's artefact.
        AnyoneWithArtefact = 1, "anyone-with-artefact";
        /// The named parties only.
        Parties = 2, "parties";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_words_lead_back_to_their_level() {
        for &level in Level::ALL {
            assert_eq!(Level::from_code(level.code()), Some(level));
            assert_eq!(Level::from_word(level.as_str()), Some(level));
        }
        assert_eq!(Level::from_code(0), None);
    }
}
