//! `leadrelay import`: what another system has exported.

mod flow;
mod partner_center;

use clap::{Args as ClapArgs, Subcommand};

use crate::cli::{Call, Done};

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Leads that were downloaded from Partner Center: those that the relay does not know yet are posted to it.
    PartnerCenter(partner_center::Args),
    /// Print the routes that do what a Power Automate flow does with a lead.
    Flow(flow::Args),
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    match args.what {
        What::Flow(args) => flow::run(call, &args),
        What::PartnerCenter(args) => partner_center::run(call, args).await,
    }
}
