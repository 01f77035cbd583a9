use std::time::Duration;

use super::context::Context;
use super::{Check, Finding};
use crate::identity::Chain;
use crate::identity::certificate::RENEW_AT;
use crate::platform::clock::{build_date, system_time};

pub(super) const CHECK: Check = Check {
    id: "certificate",
    sentence: "the chain is in order, the leaf's CN is a registration ID, and every certificate is valid now",
    needs: &["configuration"],
    within: Duration::from_secs(5),
    look,
};

fn look(context: &Context) -> Finding {
    let Ok(config) = context.config() else { return Finding::skip("there is no configuration") };
    let path = &config.identity.certificate;
    let parsed = Chain::read(path).and_then(|chain| {
        chain.check_order()?;
        Ok((chain.registration_id()?, chain))
    });
    let (id, chain) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Finding::error(error),
    };
    let chain = chain.certificates();
    // The machine's clock will do when nobody vouches for it, unless it can't be right.
    let now = context.clock.certificate_time().unwrap_or_else(system_time);
    if now < build_date() {
        let text = format!(
            "CN {id}, {} certificates in order; whether they are valid now is not known",
            chain.len()
        );
        return Finding::warn(text, "the clock is not right yet, see the check of the clock");
    }
    for (index, certificate) in chain.iter().enumerate() {
        let which = format!("certificate {} in {} ({})", index + 1, path.display(), certificate.subject);
        if now > certificate.not_after {
            let text = format!("{which} expired on {}", certificate.not_after.format("%Y-%m-%d"));
            return Finding::fail(text, "install a new chain; it is taken without a restart");
        }
        if now < certificate.not_before {
            let text = format!(
                "{which} is valid only from {} on",
                certificate.not_before.format("%Y-%m-%d %H:%M UTC")
            );
            return Finding::fail(
                text,
                "correct the clock (timedatectl), or make a certificate that is valid now",
            );
        }
    }
    let left = chain[0].not_after - now;
    let text = format!("CN {id}, chain of {}, {} days left", chain.len(), left.num_days());
    if left < RENEW_AT {
        return Finding::warn(text, "renew it: install a new chain; it is taken without a restart");
    }
    if chain.len() == 1 && !chain[0].names_issuer(&chain[0]) {
        let mend = format!(
            "DPS usually needs the intermediate CA as well: cat leaf.pem intermediate.pem > {}",
            path.display()
        );
        return Finding::warn(format!("{text}; there is no issuer beside the leaf"), mend);
    }
    Finding::pass(text)
}
