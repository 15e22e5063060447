//! The verbs.
//!
//! Owns: what each verb asks the daemon, and how it shows the answer.
//! Must never: change anything without being told so.

mod backup;
mod codes;
mod documents;
mod doubt;
mod import;
mod rack;
mod receipt;
mod receipts;
mod registers;
mod status;
mod tenants;
mod upgrade;
mod watch;

use crate::cli::{Documents, Options, Rack, Receipt, Upgrade, Verb};
use crate::connect::{ANSWER_MAX, connect};
use crate::failure::Failure;
use crate::json;
use crate::progress::shown;
use crate::say::say;
use kassette_api::v1::doubt_service_client::DoubtServiceClient;
use kassette_api::v1::inventory_service_client::InventoryServiceClient;
use kassette_api::v1::rack_service_client::RackServiceClient;
use kassette_api::v1::receipt_service_client::ReceiptServiceClient;
use kassette_api::v1::tenant_service_client::TenantServiceClient;
use prost::Message;
use tonic::transport::Channel;

/// Clients of the services, and how answers are shown.
pub struct Daemon {
    receipts: ReceiptServiceClient<Channel>,
    inventory: InventoryServiceClient<Channel>,
    rack: RackServiceClient<Channel>,
    tenants: TenantServiceClient<Channel>,
    doubts: DoubtServiceClient<Channel>,
    json: bool,
}

impl Daemon {
    fn new(channel: Channel, json: bool) -> Self {
        Self {
            receipts: ReceiptServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_MAX),
            inventory: InventoryServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_MAX),
            rack: RackServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_MAX),
            tenants: TenantServiceClient::new(channel.clone()).max_decoding_message_size(ANSWER_MAX),
            doubts: DoubtServiceClient::new(channel).max_decoding_message_size(ANSWER_MAX),
            json,
        }
    }
}

/// Does what the command line says; the exit code.
pub async fn run(options: Options) -> Result<u8, Failure> {
    let daemon = Daemon::new(connect(&options).await?, options.json);
    match options.verb {
        Verb::Status => shown("the daemon", Box::pin(status::run(daemon))).await,
        Verb::Registers(given) => shown("the daemon", Box::pin(registers::run(daemon, given))).await,
        Verb::Tenants { verb } => shown("the daemon", Box::pin(tenants::run(daemon, verb))).await,
        Verb::Receipts(given) => receipts::run(daemon, given).await,
        Verb::Documents(Documents::Export(given)) => documents::export(daemon, given).await,
        Verb::Receipt(Receipt::Submit(given)) => receipt::submit(daemon, given).await,
        Verb::Receipt(Receipt::Get(given)) => receipt::get(daemon, given).await,
        Verb::Receipt(Receipt::Import(given)) => Box::pin(import::run(daemon, given)).await,
        Verb::Receipt(Receipt::Watch(given)) => watch::run(daemon, given).await,
        Verb::Rack(Rack::Apply(given)) => shown("the daemon", Box::pin(rack::apply(daemon, given))).await,
        Verb::Rack(Rack::Export) => rack::export(daemon).await,
        Verb::Upgrade(Upgrade::Check { package }) => {
            shown("the daemon", Box::pin(upgrade::check(daemon, package))).await
        }
        Verb::Doubt(verb) => shown("the daemon", Box::pin(doubt::run(daemon, verb))).await,
        Verb::Backup(given) => shown("the backup", Box::pin(backup::run(daemon, given))).await,
        Verb::Codes(given) => codes::run(daemon, given).await,
    }
}

/// A message as a JSON value.
fn value(name: &str, message: &impl Message) -> Result<serde_json::Value, Failure> {
    json::show(name, message).map_err(|error| Failure::host("the answer cannot be shown as JSON", &error))
}

/// Prints a message as JSON.
fn print_json(name: &str, message: &impl Message) -> Result<(), Failure> {
    say!("{:#}", value(name, message)?);
    Ok(())
}

/// `tenants/{inn}` of an INN, `tenants/-` of a dash.
fn tenant_name(inn: &str) -> String {
    format!("tenants/{}", inn.trim_start_matches("tenants/"))
}
