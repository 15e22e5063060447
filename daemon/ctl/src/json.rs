//! Messages as JSON with the field names of the `.proto` files, and back.
//!
//! Owns: the one form of JSON that this program prints and reads.
//! Must never: drop a field it does not know: an unknown name is an error.

use anyhow::{Context, Result};
use kassette_api::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};
use std::sync::OnceLock;

fn descriptor(name: &str) -> Result<MessageDescriptor> {
    // Read once: an export shows many thousands of messages.
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    let pool = match POOL.get() {
        Some(pool) => pool,
        None => {
            let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).context("the contract's descriptor is damaged")?;
            POOL.get_or_init(|| pool)
        }
    };
    let full = format!("kassette.v1.{name}");
    pool.get_message_by_name(&full)
        .with_context(|| format!("the contract has no message {full}"))
}

/// A message of package `kassette.v1`: names as in the `.proto` file, whole numbers as numbers, absent fields left out.
pub fn show(name: &str, message: &impl Message) -> Result<serde_json::Value> {
    let dynamic = DynamicMessage::decode(descriptor(name)?, message.encode_to_vec().as_slice())?;
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false);
    Ok(dynamic.serialize_with_options(serde_json::value::Serializer, &options)?)
}

/// Reads a message of package `kassette.v1` from JSON.
pub fn read<T: Message + Default>(name: &str, text: &str) -> Result<T> {
    let mut json = serde_json::Deserializer::from_str(text);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let dynamic = DynamicMessage::deserialize_with_options(descriptor(name)?, &mut json, &options)?;
    json.end()?;
    Ok(T::decode(dynamic.encode_to_vec().as_slice())?)
}
