//! `selfsame stake`, `unstake`, `withdraw`: a provider's stake, and what anybody is owed.

use selfsame_chain::bindings::{ProviderRegistry, Requests};
use selfsame_chain::{Child, U256};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::network::{ChainArgs, Sent, Transactions, block_on, chain, send};
use crate::output::Output;
use crate::wei;

/// Arguments of `stake` and `unstake`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How much, such as 2, 0.5ether or 20gwei; a bare number is ether.
    #[arg(value_name = "AMOUNT", value_parser = wei::parse)]
    amount: u128,
    #[command(flatten)]
    chain: ChainArgs,
}

/// Arguments of `withdraw`.
#[derive(Debug, clap::Args)]
pub(crate) struct WithdrawArgs {
    #[command(flatten)]
    chain: ChainArgs,
}

/// Stakes.
pub(crate) fn stake(args: &Args, output: Output) -> Outcome<Exit> {
    let sent = block_on(async {
        let set = args.chain.set_with_key("stake").await?;
        let call = ProviderRegistry::stakeCall {};
        let value = U256::from(args.amount);
        let child = Child::ProviderRegistry;
        let (preview, write) = (
            set.preview(child, &call, value),
            set.write(child, &call, value),
        );
        Ok(send(&args.chain, value, preview, write, "stake").await?.0)
    })?;
    output.report(&Transactions::new("stake", None, vec![sent]));
    Ok(Exit::Ok)
}

/// Starts unbonding.
pub(crate) fn unstake(args: &Args, output: Output) -> Outcome<Exit> {
    let sent = block_on(async {
        let set = args.chain.set_with_key("unstake").await?;
        let call = ProviderRegistry::unstakeCall {
            amount: U256::from(args.amount),
        };
        let (child, none) = (Child::ProviderRegistry, U256::ZERO);
        let (preview, write) = (
            set.preview(child, &call, none),
            set.write(child, &call, none),
        );
        Ok(send(&args.chain, none, preview, write, "unstake").await?.0)
    })?;
    output.report(&Transactions::new("unstake", None, vec![sent]));
    output.note("the stake is out after the unbonding time; `selfsame withdraw` then pays it");
    Ok(Exit::Ok)
}

/// Pays out credits and unbonded stake.
pub(crate) fn withdraw(args: &WithdrawArgs, output: Output) -> Outcome<Exit> {
    let sent = block_on(withdraw_all(&args.chain))?;
    output.report(&Transactions::new("withdraw", None, sent));
    Ok(Exit::Ok)
}

async fn withdraw_all(args: &ChainArgs) -> Outcome<Vec<Sent>> {
    let set = args.set_with_key("withdraw").await?;
    let own = set.client().key("withdraw").map_err(chain)?.address();
    let now = set.client().block(None).await.map_err(chain)?.timestamp;
    let mut done = Vec::new();
    let credit = Requests::creditCall { account: own };
    let credit = set.read(Child::Requests, credit).await.map_err(chain)?;
    if credit > U256::ZERO {
        let call = Requests::withdrawCall {};
        let (child, none) = (Child::Requests, U256::ZERO);
        let (preview, write) = (
            set.preview(child, &call, none),
            set.write(child, &call, none),
        );
        done.push(send(args, none, preview, write, "withdraw").await?.0);
    }
    let stake = ProviderRegistry::stakeOfCall { provider: own };
    let stake = set
        .read(Child::ProviderRegistry, stake)
        .await
        .map_err(chain)?;
    let waits = stake.unbonding > 0 && now < stake.unbondsAt;
    if stake.unbonding > 0 && !waits {
        let call = ProviderRegistry::withdrawStakeCall {};
        let (child, none) = (Child::ProviderRegistry, U256::ZERO);
        let (preview, write) = (
            set.preview(child, &call, none),
            set.write(child, &call, none),
        );
        done.push(send(args, none, preview, write, "withdrawStake").await?.0);
    }
    match (done.is_empty(), waits) {
        (false, _) => Ok(done),
        (true, true) => {
            let left = stake.unbondsAt - now;
            let what = format!("{} ether unbond in {left} s", wei::ether(stake.unbonding));
            Err(Failure::new(Exit::Pending, what).hint("call again then"))
        }
        (true, false) => {
            let what = format!("{own} has no credit and no unbonded stake");
            Err(Failure::new(Exit::Guard, what))
        }
    }
}
