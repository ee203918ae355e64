//! Where the money of a conviction goes.
//!
//! ```text
//! bond = burned half + payouts in order, as far as the rest reaches + compensation + burned rest
//! ```
//!
//! Spec: game, 4.11.

use alloc::vec::Vec;

use selfsame_protocol::constants::{BURN_DENOMINATOR, BURN_NUMERATOR};

use crate::board::Address;

/// What somebody should get out of a slash, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payout {
    /// The account.
    pub to: Address,
    /// Wei.
    pub amount: u128,
}

/// What somebody gets.
pub type Share = Payout;

/// A slashed bond, split. `burned + shares + compensation` is the bond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slash {
    /// Burned, the first half and what nobody got.
    pub burned: u128,
    /// The payouts, in order, cut to what was left.
    pub shares: Vec<Share>,
    /// To the requester, beside the price.
    pub compensation: u128,
}

/// Splits `bond`: at least half burns first, so that nobody gains by convicting itself.
pub fn split_slash(bond: u128, price: u128, payouts: &[Payout]) -> Slash {
    let numerator = u128::from(BURN_NUMERATOR);
    let denominator = u128::from(BURN_DENOMINATOR);
    // Below 2^128 for any bond: the whole part and the remainder are scaled apart.
    let first = bond / denominator * numerator + bond % denominator * numerator / denominator;
    let mut rest = bond - first;
    let mut take = |amount: u128| {
        let taken = amount.min(rest);
        rest -= taken;
        taken
    };
    let shares = payouts
        .iter()
        .map(|payout| Payout {
            to: payout.to,
            amount: take(payout.amount),
        })
        .collect();
    let compensation = take(price);
    Slash {
        burned: first + rest,
        shares,
        compensation,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Spec: game, 4.11.
        #[test]
        fn nothing_is_made_or_lost_and_half_burns(bond: u128, price: u128, amounts in proptest::collection::vec(any::<u128>(), 0..10)) {
            let payouts: Vec<Payout> = amounts.iter().map(|&amount| Payout { to: [1; 20], amount }).collect();
            let slash = split_slash(bond, price, &payouts);
            let paid: u128 = slash.shares.iter().map(|share| share.amount).sum();
            prop_assert_eq!(slash.burned + paid + slash.compensation, bond);
            prop_assert!(slash.burned >= bond / 2);
        }
    }

    #[test]
    fn payouts_are_served_in_order_and_the_requester_last() {
        let payouts = [
            Payout {
                to: [1; 20],
                amount: 30,
            },
            Payout {
                to: [2; 20],
                amount: 30,
            },
        ];
        let slash = split_slash(100, 10, &payouts);
        assert_eq!(
            slash.shares.iter().map(|s| s.amount).collect::<Vec<_>>(),
            [30, 20]
        );
        assert_eq!((slash.compensation, slash.burned), (0, 50));
    }
}
