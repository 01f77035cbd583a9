//! The versions of TLS.

use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};

/// The versions of TLS that the emulator speaks, on both of its ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsVersions {
    /// 1.2 and 1.3, as the client prefers.
    #[default]
    All,
    /// 1.2 alone: what DPS and the hubs with names in `azure-devices.net` speak.
    Tls12,
    /// 1.3 alone.
    Tls13,
    /// As Azure has it: 1.2 alone at DPS and at a hub's classic name, 1.2 and 1.3 at its names of TLS 1.3
    /// (`{hub}.device.azure-devices.net`, `{hub}.service.azure-devices.net`). Which name is meant is in the client's first
    /// message (SNI); under `localhost`, an address, another name or none, both versions are spoken.
    Azure,
    /// As [`Self::Azure`], and 1.3 alone at the names of TLS 1.3.
    Split,
}

impl TlsVersions {
    pub(super) fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        static ALL: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            // By name, a door has several configurations of one kind each.
            Self::All | Self::Azure | Self::Split => &ALL,
            Self::Tls13 => &ALL[..1],
            Self::Tls12 => &ALL[1..],
        }
    }
}
