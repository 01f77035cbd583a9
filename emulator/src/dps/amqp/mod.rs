//! Registration over AMQP: a pair of links on `{ID scope}/registrations/{registration ID}`, requests by one, answers by the
//! other.

mod registrant;
mod request;
mod nodes;
mod place;

pub(crate) use place::DpsPlace;
