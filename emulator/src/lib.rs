//! placeholder
mod mqtt;
