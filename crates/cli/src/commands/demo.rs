//! stub
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::Output;
/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}
pub(crate) fn run(_: &Args, _: Output) -> Outcome<Exit> {
    Ok(Exit::Ok)
}
