//! Why a `pkcs11:` URI can't be used. No value of it is in any of these sentences, because it may be a PIN.

/// Why a URI can't be used. Texts are names of attributes, or places of those whose names may not be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyUriError {
    /// Something with a PIN that is no such URI.
    #[error(
        "identity.key has a PIN in it and does not begin with pkcs11:, as the URI of a key in a token does"
    )]
    NoUri,
    /// Not `name=value`.
    #[error(
        "{0} in the pkcs11: URI is not name=value; attributes are separated by ; before the ? and by & after it"
    )]
    NoValue(String),
    /// A value that goes on with another attribute.
    #[error(
        "the value of {0} in the pkcs11: URI goes on with something else; attributes are separated by ; before the ? and by & after it, and in a value these are written %3B, %3F and %26"
    )]
    Separator(String),
    /// `%` without two hexadecimal digits, or no UTF-8 where text is wanted.
    #[error(
        "the value of {0} in the pkcs11: URI is badly percent-encoded; % is written %25, and bytes as %01%A2"
    )]
    Encoding(String),
    /// Nothing after `=`.
    #[error("{0} in the pkcs11: URI has no value; leave it out if any will do")]
    Empty(String),
    /// Twice the same.
    #[error("{0} stands twice in the pkcs11: URI")]
    Twice(String),
    /// An attribute before the `?` that is not understood.
    #[error(
        "the pkcs11: URI has {0}, which is not known here; token, manufacturer, model, serial, slot-id, object, id and type are known before the ?"
    )]
    UnknownPath(String),
    /// An attribute after the `?` that is not understood.
    #[error(
        "the pkcs11: URI has {0}, which is not known here; module-path, pin-source and pin-value are known after the ?"
    )]
    UnknownQuery(String),
    /// `module-name` is looked up in a way that every system has its own.
    #[error(
        "the pkcs11: URI has module-name; name the library's file instead: module-path=/usr/lib/…/lib….so"
    )]
    ModuleName,
    /// Another class of object: `type`, with its value if that is one of the standard's.
    #[error("{0} in the pkcs11: URI names no private key; type=private does, or none at all")]
    NotPrivate(String),
    /// Not a number.
    #[error("slot-id in the pkcs11: URI is no number; slot-id=0 has one")]
    SlotId,
    /// No library.
    #[error(
        "the pkcs11: URI names no PKCS#11 library; add ?module-path=/usr/lib/…/lib….so, the file that belongs to the token"
    )]
    NoModule,
    /// A library that would be searched for.
    #[error("module-path in the pkcs11: URI is not absolute; write the whole path of the library")]
    RelativeModule,
    /// Two PINs.
    #[error(
        "the pkcs11: URI has pin-source and pin-value; one of them is enough, and pin-source is the better one"
    )]
    TwoPins,
    /// A program, a web page: the PIN is in a file.
    #[error("pin-source in the pkcs11: URI is no file; file:/path is, or /path")]
    NoPinFile,
}
