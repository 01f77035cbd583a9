//! Serves an emulator for programs in other languages, and makes what their devices need.
//!
//! ```text
//! cargo run -p tracker-emulator --example serve -- LAB_DIRECTORY [ADDRESS [MQTT_PORT [SERVICE_PORT [AMQP_PORT]]]]
//! ```
//!
//! Writes into the directory: `server-ca.pem`; `root.pem` and `factory.pem`, the CA certificates of the devices;
//! `{device}.pem` (chain) and `{device}-key.pem` for `group-device` and `group-device-2`, signed by the factory, and
//! for `single-device` and `mqtt5-device`, signed by themselves. Prints one line of JSON when it listens, and stops when its input ends.

use std::{env, error::Error, fs::File, io::Write as _, net::IpAddr, path::Path, time::Duration};

use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tracker_emulator::{
    Emulator, EmulatorOptions,
    pki::{CertificateAuthority, DeviceCredentials, Validity},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let directory = arguments.next().ok_or("the lab directory is missing")?;
    let address: IpAddr = arguments.next().as_deref().unwrap_or("127.0.0.1").parse()?;
    let port = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let service_port = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let amqp_port = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let emulator = Emulator::start(EmulatorOptions {
        listen_address: address,
        // Clients that find names in ways of their own use the address.
        extra_server_names: vec![address.to_string()],
        port,
        service_port: Some(service_port),
        amqp_port: Some(amqp_port),
        hub_names: vec!["hub-1".into(), "hub-2".into(), "hub-5=mqtt5".into()],
        retry_after: Duration::from_secs(1),
        assigning_time: Duration::ZERO,
        ca_directory: Some(directory.clone().into()),
        ..EmulatorOptions::default()
    })
    .await?;
    write_lab(Path::new(&directory))?;
    let line = json!({
        "address": address,
        "mqttPort": emulator.port(),
        "servicePort": emulator.service_address().map(|address| address.port()),
        "amqpPort": emulator.amqp_address().map(|address| address.port()),
        "idScope": emulator.id_scope(),
        "connectionStrings": emulator.connection_strings(),
    });
    println!("{line}");
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    emulator.shutdown().await;
    Ok(())
}

fn write_lab(directory: &Path) -> Result<(), Box<dyn Error>> {
    let root = CertificateAuthority::root("SDK test root", Validity::always())?;
    let factory = root.intermediate("SDK test factory", Validity::always())?;
    let write = |name: &str, text: &str| File::create(directory.join(name))?.write_all(text.as_bytes());
    write("root.pem", &root.certificate_pem())?;
    write("factory.pem", &factory.certificate_pem())?;
    let devices = [
        ("group-device", factory.device("group-device", Validity::always())?),
        ("group-device-2", factory.device("group-device-2", Validity::always())?),
        ("single-device", DeviceCredentials::self_signed("single-device", Validity::always())?),
        ("mqtt5-device", DeviceCredentials::self_signed("mqtt5-device", Validity::always())?),
    ];
    for (name, credentials) in devices {
        write(&format!("{name}.pem"), &credentials.chain_pem)?;
        write(&format!("{name}-key.pem"), &credentials.key_pem)?;
    }
    Ok(())
}
