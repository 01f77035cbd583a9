//! Which servers mind packets before their CONNACK: those are waited for.
//!
//! Packets that follow CONNECT at once save a round trip or two a connection, and MQTT allows them. A server that minds
//! closes, or goes on as if it had not heard them. As a network in trouble closes connections too, such an end is a
//! suspicion and no more: the next attempt waits, at once if that is the first since all was well, and what comes of it
//! tells. What is remembered by mistake is found out after a while, as the server is then tried again without waiting.

/// Connections that wait for a server that minds, until it is tried again.
const TRY_AFTER: u8 = 16;

/// What is known of the servers, by their names.
#[derive(Debug, Default)]
pub struct Patience {
    /// Those of which there is something to say; DPS and a hub, and perhaps those before a move.
    servers: Vec<(String, Server)>,
}

#[derive(Debug, Default)]
struct Server {
    /// It minds; so many more connections wait for it. None: it does not, as far as is known.
    waits: u8,
    /// The last attempt ended as where a server minds.
    suspected: bool,
    /// It has been tried at once since all was well; another time would double the attempts of an outage.
    hurried: bool,
}

impl Patience {
    /// Whether to wait for this server's CONNACK.
    pub fn waits_for(&self, host: &str) -> bool {
        let server = self.servers.iter().find(|(name, _)| name == host);
        server.is_some_and(|(_, server)| server.suspected || server.waits > 0)
    }

    /// Whether it is known to mind.
    pub fn minds(&self, host: &str) -> bool {
        self.servers.iter().any(|(name, server)| name == host && server.waits > 0)
    }

    /// The server has closed, or taken no notice, where packets had followed CONNECT at once. Whether to try it at once.
    pub fn suspects(&mut self, host: &str) -> bool {
        let server = self.server(host);
        server.suspected = true;
        !std::mem::replace(&mut server.hurried, true)
    }

    /// An attempt that waited has failed too: the packets were not the reason.
    pub fn acquits(&mut self, host: &str) {
        self.server(host).suspected = false;
    }

    /// The server has answered; `waited` tells whether its CONNACK was waited for. Gives whether it minds where that is news.
    pub fn is_well(&mut self, host: &str, waited: bool) -> Option<bool> {
        let server = self.server(host);
        let minded = server.waits > 0;
        server.waits = match (waited, server.suspected) {
            (false, _) => 0,
            (true, true) => TRY_AFTER,
            // The last of these leaves it to the next connection to try; until that has gone well it minds.
            (true, false) => server.waits.saturating_sub(1),
        };
        server.hurried = false;
        let found = std::mem::take(&mut server.suspected);
        if waited { (found && !minded).then_some(true) } else { Some(false) }
    }

    /// It was found out before this program began that the server minds.
    pub fn remember(&mut self, host: &str) {
        self.server(host).waits = TRY_AFTER;
    }

    fn server(&mut self, host: &str) -> &mut Server {
        let known = self.servers.iter().position(|(name, _)| name == host);
        let place = known.unwrap_or_else(|| {
            self.servers.push((host.into(), Server::default()));
            self.servers.len() - 1
        });
        &mut self.servers[place].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hurried_attempt_tells_whether_a_server_minds() {
        let mut patience = Patience::default();
        assert!(!patience.waits_for("hub"));
        assert!(patience.suspects("hub"), "at once");
        assert!(patience.waits_for("hub") && !patience.waits_for("dps"));
        assert!(!patience.minds("hub"), "that is not known yet");
        assert_eq!(patience.is_well("hub", true), Some(true), "it minds");
        assert!(patience.waits_for("hub") && patience.minds("hub"));
        assert_eq!(patience.is_well("hub", true), None, "that is no news");
    }

    #[test]
    fn an_outage_doubles_no_attempts_and_a_server_that_minds_is_found_out_all_the_same() {
        let mut patience = Patience::default();
        let mut hurried = 0;
        for attempt in 0..10 {
            assert_eq!(patience.waits_for("hub"), attempt % 2 == 1, "in turn");
            if patience.waits_for("hub") {
                patience.acquits("hub");
            } else {
                hurried += usize::from(patience.suspects("hub"));
            }
        }
        assert_eq!(hurried, 1);
        patience.suspects("hub");
        assert_eq!(patience.is_well("hub", true), Some(true));
        // Where it went well without waiting, nothing is held against it.
        let mut patience = Patience::default();
        patience.suspects("hub");
        patience.acquits("hub");
        patience.is_well("hub", false);
        assert!(!patience.waits_for("hub"));
        assert!(patience.suspects("hub"), "the next outage is another one");
    }

    #[test]
    fn what_is_remembered_is_tried_again_after_a_while() {
        let mut patience = Patience::default();
        patience.remember("hub");
        for _ in 0..TRY_AFTER {
            assert!(patience.waits_for("hub"));
            assert_eq!(patience.is_well("hub", true), None);
        }
        assert!(!patience.waits_for("hub"));
        assert_eq!(patience.is_well("hub", false), Some(false), "it does not mind after all");
        patience.remember("dps");
        for _ in 0..TRY_AFTER {
            patience.is_well("dps", true);
        }
        assert!(patience.suspects("dps"));
        patience.is_well("dps", true);
        assert!(patience.waits_for("dps"), "it still minds");
    }
}
