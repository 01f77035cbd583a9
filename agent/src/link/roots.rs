//! When the roots end that servers' certificates lead to.
//!
//! The TLS library does not look at the end of a root: one that has ended is trusted as before. But servers lead to others by
//! then, and a device at sea has to have those in time.

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::CertificateDer;
use tracker_certificates::{Fields, Name};

use crate::identity::certificate::Certificate;

/// A fleet with less time left should be given new roots: a voyage is long, and so is the way of a file to every device.
pub const RENEW_ROOTS_AT: TimeDelta = TimeDelta::days(180);

/// What the system's store has for Azure's servers. The other hundred and more are none of a tracker's business.
const OF_AZURE: [&str; 3] =
    ["DigiCert Global Root G2", "DigiCert Global Root G3", "Microsoft RSA Root Certificate Authority 2017"];

/// A root, and when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootEnd {
    /// Its whole subject.
    pub name: String,
    /// Its last moment.
    pub not_after: DateTime<Utc>,
}

impl RootEnd {
    /// Whole days until then, negative afterwards.
    pub fn days_left(&self, now: DateTime<Utc>) -> i64 {
        (self.not_after - now).num_days()
    }

    /// The one of them that ends first: of all, or of Azure's among them. What can't be read is passed over, as it is where
    /// the roots are taken into use.
    pub fn first(roots: &[CertificateDer<'_>], azures_alone: bool) -> Option<Self> {
        let end = |der: &CertificateDer<'_>| {
            let fields = Fields::read(der).ok()?;
            let is_meant = !azures_alone
                || Name::read(fields.subject).is_ok_and(|subject| {
                    subject.common_name().is_some_and(|name| OF_AZURE.contains(&&*name))
                });
            is_meant.then_some(fields.not_after)
        };
        let (_, first) = roots.iter().filter_map(|der| Some((end(der)?, der))).min_by_key(|(end, _)| *end)?;
        let Certificate { subject, not_after, .. } = Certificate::parse(first).ok()?;
        Some(Self { name: subject, not_after })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn root(name: &str, year: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = date_time_ymd(year, 1, 15);
        CertificateDer::from(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec())
    }

    #[test]
    fn the_first_to_end_is_told_and_of_a_whole_system_only_azures() {
        let roots = [
            root("DigiCert Global Root G2", 2038),
            root("Somebody's Root", 2027),
            CertificateDer::from(vec![7; 40]),
            root("DigiCert Global Root G3", 2037),
        ];
        let first = RootEnd::first(&roots, false).unwrap();
        assert_eq!(
            (first.name.as_str(), first.not_after.to_rfc3339().as_str()),
            ("CN=Somebody's Root", "2027-01-15T00:00:00+00:00")
        );
        assert_eq!(first.days_left(first.not_after - TimeDelta::hours(47)), 1);
        assert_eq!(RootEnd::first(&roots, true).unwrap().name, "CN=DigiCert Global Root G3");
        assert_eq!(RootEnd::first(&roots[1..3], true), None);
        assert_eq!(RootEnd::first(&[], false), None);
    }
}
