//! `selfsame finalize REQUEST` and `refund REQUEST`: what time alone decides; anyone may call.

use selfsame_chain::bindings::Requests;
use selfsame_chain::{B256, Child, U256};

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::network::{self, ChainArgs, Transactions, block_on, send};
use crate::output::Output;

/// Arguments of `finalize` and `refund`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The request's id.
    #[arg(value_name = "REQUEST", value_parser = network::id)]
    request: B256,
    #[command(flatten)]
    chain: ChainArgs,
}

/// Makes a claim final once its window is over.
pub(crate) fn finalize(args: &Args, output: Output) -> Outcome<Exit> {
    let sent = block_on(async {
        let set = args.chain.set_with_key("finalize").await?;
        network::request(&set, args.request).await?;
        let call = Requests::finalizeCall {
            requestId: args.request,
        };
        let (child, none) = (Child::Requests, U256::ZERO);
        let (preview, write) = (
            set.preview(child, &call, none),
            set.write(child, &call, none),
        );
        Ok(send(&args.chain, none, preview, write, "finalize").await?.0)
    })?;
    output.report(&Transactions::new(
        "finalize",
        Some(args.request.to_string()),
        vec![sent],
    ));
    Ok(Exit::Ok)
}

/// Refunds a request that was not accepted or not answered in time.
pub(crate) fn refund(args: &Args, output: Output) -> Outcome<Exit> {
    let sent = block_on(async {
        let set = args.chain.set_with_key("refund").await?;
        network::request(&set, args.request).await?;
        let call = Requests::refundCall {
            requestId: args.request,
        };
        let (child, none) = (Child::Requests, U256::ZERO);
        let (preview, write) = (
            set.preview(child, &call, none),
            set.write(child, &call, none),
        );
        Ok(send(&args.chain, none, preview, write, "refund").await?.0)
    })?;
    output.report(&Transactions::new(
        "refund",
        Some(args.request.to_string()),
        vec![sent],
    ));
    Ok(Exit::Ok)
}
