//! What stands in a user name of SASL PLAIN.

/// Longer than any user name, and than any token.
const LONGEST: usize = 4096;

/// A user name, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum User<'a> {
    /// `{policy}@sas.root.{hub}`: a policy of a hub; the password is a token.
    PolicyOfHub { policy: &'a str, hub: &'a str },
    /// `{device}@sas.{hub}`: the password is a token.
    Device { device: &'a str, hub: &'a str },
    /// `{scope}/registrations/{id}`: DPS; the password is a token.
    Registration,
    /// A policy's name alone: the password is its key.
    Policy(&'a str),
}

impl<'a> User<'a> {
    pub(super) fn read(user: &'a str) -> Self {
        if let Some((policy, hub)) = user.rsplit_once("@sas.root.") {
            return Self::PolicyOfHub { policy, hub };
        }
        if let Some((device, hub)) = user.rsplit_once("@sas.") {
            return Self::Device { device, hub };
        }
        match user.split('/').collect::<Vec<_>>()[..] {
            [_, registrations, ..] if registrations.eq_ignore_ascii_case("registrations") => {
                Self::Registration
            }
            _ => Self::Policy(user),
        }
    }
}

/// User name and password of an initial response of SASL PLAIN (RFC 4616): `[authzid] NUL user NUL password`.
pub(super) fn parse(response: &[u8]) -> Result<(&str, &str), &'static str> {
    if response.len() > 2 * LONGEST {
        return Err("it is too long");
    }
    let text = std::str::from_utf8(response).map_err(|_| "it is not UTF-8")?;
    let mut parts = text.split('\0');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(user), Some(password), None) if !user.is_empty() => Ok((user, password)),
        _ => Err("it is not user and password, each after a zero byte"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_says_what_it_is() {
        for (text, user) in [
            ("iothubowner@sas.root.hub-1", User::PolicyOfHub { policy: "iothubowner", hub: "hub-1" }),
            ("d@x@sas.hub-1", User::Device { device: "d@x", hub: "hub-1" }),
            ("0ne00000001/registrations/d1", User::Registration),
            ("service", User::Policy("service")),
            ("", User::Policy("")),
        ] {
            assert_eq!(User::read(text), user, "{text}");
        }
    }

    #[test]
    fn a_response_has_two_parts_after_zeros() {
        assert_eq!(parse(b"\0u\0p"), Ok(("u", "p")));
        assert_eq!(parse(b"z\0u\0"), Ok(("u", "")));
        for bad in [&b""[..], b"u", b"\0u", b"\0\0p", b"\0u\0p\0", b"\0\xff\0p"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse(&[b'a'; 3 * LONGEST]).is_err());
    }
}
