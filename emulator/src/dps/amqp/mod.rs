//! Registration over AMQP: a pair of links on `{ID scope}/registrations/{registration ID}`, requests by one, answers by the
//! other. A TPM proves itself before, when it signs in.

mod registrant;
mod request;
mod nodes;
mod sign_in;
mod place;

pub(crate) use place::DpsPlace;
pub(crate) use sign_in::{Proved, TpmSignIn, TpmStep};
