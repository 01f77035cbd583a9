//! placeholder
mod clock;
mod id;
mod mqtt;
pub mod pki;
mod tls;
mod x509;
pub use clock::{Clock, ManualClock, SystemClock};
pub use tls::ServerIdentityError;
pub use x509::{CertificateError, X509CertificateInfo};
