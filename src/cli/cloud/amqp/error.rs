//! Why something over AMQP did not come about.

use tracker_amqp::{ConnectionError, Error, condition};

/// Why something over AMQP did not come about.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum AmqpError {
    /// Nobody answers, or not to the end.
    #[error("can't talk AMQP with {host}: {why}; port {port} has to be open on the way there")]
    Away {
        /// Who was called.
        host: String,
        /// At this port.
        port: u16,
        /// What the system said.
        why: String,
    },
    /// The far end is not who it should be.
    #[error(
        "the certificate of {host} is not trusted ({why}); for an emulator name the server-ca.pem of the running one with \
         --server-ca"
    )]
    Untrusted {
        /// Who was called.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// The connection ended.
    #[error("the AMQP connection to {host} broke off: {source}")]
    Broken {
        /// Who was called.
        host: String,
        /// Why.
        source: ConnectionError,
    },
    /// The service has said no.
    #[error("{host} refuses: {error}")]
    Refused {
        /// Who was called.
        host: String,
        /// In its words.
        error: Error,
    },
    /// The service does not know what was asked of it, or does not want to.
    #[error("{host} answers {status} to {what}: {description}")]
    Answered {
        /// Who was called.
        host: String,
        /// Like HTTP's.
        status: i64,
        /// What was asked.
        what: &'static str,
        /// In its words.
        description: String,
    },
    /// It counts from the beginning again.
    #[error(
        "the built-in endpoint of {host} was made anew, and has not what was read last: what is written down of it is of no use \
         any more; begin again with --restart"
    )]
    Anew {
        /// Who was called.
        host: String,
    },
    /// No answer in time.
    #[error("{host} did not answer to {what} in time")]
    Silent {
        /// Who was called.
        host: String,
        /// What was asked.
        what: &'static str,
    },
}

impl AmqpError {
    /// Where the service says that it is to be asked elsewhere: the error with the address in it.
    pub(super) fn redirection(&self) -> Option<&Error> {
        match self {
            Self::Refused { error, .. } if error.condition == "amqp:link:redirect" => Some(error),
            _ => None,
        }
    }

    /// Whether asking again changes nothing: the person who asks has to.
    pub(super) fn is_for_good(&self) -> bool {
        match self {
            Self::Refused { error, .. } => {
                let condition = error.condition.as_str();
                matches!(
                    condition,
                    condition::UNAUTHORIZED_ACCESS | condition::NOT_FOUND | "amqp:link:stolen"
                ) || condition.starts_with("com.microsoft:argument")
            }
            Self::Answered { status, .. } => matches!(status, 400..=499),
            Self::Untrusted { .. } | Self::Anew { .. } => true,
            Self::Broken { source, .. } => matches!(source, ConnectionError::SignIn(_)),
            Self::Away { .. } | Self::Silent { .. } => false,
        }
    }
}
