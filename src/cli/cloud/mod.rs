//! `container-tracker cloud …`: what an operator does to a provisioning service and its hubs, from the command line.
//!
//! ```text
//!  noun and verb ─▶ Target: emulator.json, or --login ─▶ Client: HTTPS, SAS, etags, pages ─▶ DPS │ hub
//! ```
//!
//! Nouns, verbs and options are those of `az iot` where those are sensible. The same calls go to an emulator and to
//! Azure; what Azure does not have in its service APIs over HTTPS is refused for Azure, with the command that has it.

pub(in crate::cli) mod amqp;
mod attestation;
mod bulk;
mod certificate_file;
mod commands;
mod diagnosis;
mod dial;
mod emulator_file;
mod enrollment_settings;
mod events;
mod forward;
mod json_argument;
mod merge_patch;
mod output;
mod plot;
mod readings;
mod sas;
mod selected;
pub(in crate::cli) mod service;
pub(in crate::cli) mod target;
mod telemetry;
mod tpm_keys;

use commands::{
    blob_container, c2d, ca, certificate, certificate_policy, configuration, consumer_group, deprovision,
    device, diagnose, enrichment, enrollment, enrollment_group, event_subscription, fault, fleet,
    hub_certificate, job, method, module, module_twin, monitor, query, registration, route, routing_endpoint,
    silence, twin,
};

pub(super) use emulator_file::EmulatorFile;

/// Options of `cloud`.
#[derive(Debug, clap::Args)]
pub(super) struct CloudArgs {
    #[command(flatten)]
    target: target::Target,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, clap::Subcommand)]
enum Noun {
    /// CA certificates of the provisioning service. Emulator only.
    #[command(subcommand)]
    Certificate(certificate::CertificateCommand),
    /// CAs that issue certificates to devices. Emulator only.
    #[command(subcommand)]
    Ca(ca::CaCommand),
    /// For how long, and by which CA, certificates are issued. Emulator only.
    #[command(subcommand)]
    CertificatePolicy(certificate_policy::CertificatePolicyCommand),
    /// Enrollments of all devices below a CA.
    #[command(subcommand)]
    EnrollmentGroup(enrollment_group::EnrollmentGroupCommand),
    /// Enrollments of one device each.
    #[command(subcommand)]
    Enrollment(enrollment::EnrollmentCommand),
    /// Records of devices that have registered.
    #[command(subcommand)]
    Registration(registration::RegistrationCommand),
    /// Device identities of a hub.
    #[command(subcommand)]
    Device(device::DeviceCommand),
    Deprovision(deprovision::DeprovisionCommand),
    Fleet(fleet::FleetCommand),
    Diagnose(diagnose::DiagnoseCommand),
    /// CA certificates that a hub trusts. Emulator only.
    #[command(subcommand)]
    HubCertificate(hub_certificate::HubCertificateCommand),
    Query(query::QueryCommand),
    /// Device twins.
    #[command(subcommand)]
    Twin(twin::TwinCommand),
    /// Parts of devices that sign in by themselves.
    #[command(subcommand)]
    Module(module::ModuleCommand),
    /// Twins of modules.
    #[command(subcommand)]
    ModuleTwin(module_twin::ModuleTwinCommand),
    /// Desired properties for all devices that a condition holds for.
    #[command(subcommand)]
    Configuration(configuration::ConfigurationCommand),
    /// Methods and twin updates that the hub does to many devices by itself.
    #[command(subcommand)]
    Job(job::JobCommand),
    /// Direct methods of devices.
    #[command(subcommand)]
    Method(method::MethodCommand),
    /// Messages to devices. Emulator only.
    #[command(subcommand)]
    C2d(c2d::C2dCommand),
    Monitor(monitor::MonitorCommand),
    Telemetry(telemetry::TelemetryCommand),
    Plot(plot::PlotCommand),
    Forward(forward::ForwardCommand),
    Events(events::EventsCommand),
    SasToken(sas::SasTokenCommand),
    /// Where a hub leads messages. Emulator only.
    #[command(subcommand)]
    Route(route::RouteCommand),
    /// Webhooks and files that routes may lead to. Emulator only.
    #[command(subcommand)]
    RoutingEndpoint(routing_endpoint::RoutingEndpointCommand),
    /// What a hub adds to messages on their way. Emulator only.
    #[command(subcommand)]
    Enrichment(enrichment::EnrichmentCommand),
    /// Webhooks that are told of devices, in Event Grid's schema. Emulator only.
    #[command(subcommand)]
    EventSubscription(event_subscription::EventSubscriptionCommand),
    /// Names under which readers of a hub's built-in endpoint count apart. Emulator only.
    #[command(subcommand)]
    ConsumerGroup(consumer_group::ConsumerGroupCommand),
    /// Containers of the storage, for the registry's export and import. Emulator only.
    #[command(subcommand)]
    BlobContainer(blob_container::BlobContainerCommand),
    /// The alarm for devices that are not heard any more. Emulator only.
    #[command(subcommand)]
    Silence(silence::SilenceCommand),
    /// Misbehaviour on request. Emulator only.
    #[command(subcommand)]
    Fault(fault::FaultCommand),
}

/// Does what the arguments say.
pub(super) fn run(args: CloudArgs) -> anyhow::Result<()> {
    let CloudArgs { target, noun } = args;
    match noun {
        Noun::Certificate(command) => command.run(&target),
        Noun::Ca(command) => command.run(&target),
        Noun::CertificatePolicy(command) => command.run(&target),
        Noun::EnrollmentGroup(command) => command.run(&target),
        Noun::Enrollment(command) => command.run(&target),
        Noun::Registration(command) => command.run(&target),
        Noun::Device(command) => command.run(&target),
        Noun::Deprovision(command) => command.run(&target),
        Noun::Fleet(command) => command.run(&target),
        Noun::Diagnose(command) => command.run(&target),
        Noun::HubCertificate(command) => command.run(&target),
        Noun::Query(command) => command.run(&target),
        Noun::Twin(command) => command.run(&target),
        Noun::Module(command) => command.run(&target),
        Noun::ModuleTwin(command) => command.run(&target),
        Noun::Configuration(command) => command.run(&target),
        Noun::Job(command) => command.run(&target),
        Noun::Method(command) => command.run(&target),
        Noun::C2d(command) => command.run(&target),
        Noun::Monitor(command) => command.run(&target),
        Noun::Telemetry(command) => command.run(&target),
        Noun::Plot(command) => command.run(&target),
        Noun::Forward(command) => command.run(&target),
        Noun::Events(command) => command.run(&target),
        Noun::SasToken(command) => command.run(&target),
        Noun::Route(command) => command.run(&target),
        Noun::RoutingEndpoint(command) => command.run(&target),
        Noun::Enrichment(command) => command.run(&target),
        Noun::EventSubscription(command) => command.run(&target),
        Noun::ConsumerGroup(command) => command.run(&target),
        Noun::BlobContainer(command) => command.run(&target),
        Noun::Silence(command) => command.run(&target),
        Noun::Fault(command) => command.run(&target),
    }
}
