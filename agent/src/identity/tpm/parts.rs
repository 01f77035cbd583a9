//! The parts of what DPS calls an authentication key, each with its length before it.

/// A key on its way into the TPM.
pub(super) struct Parts<'a> {
    /// `TPM2B_ID_OBJECT`: the inner key.
    pub(super) credential: &'a [u8],
    /// `TPM2B_ENCRYPTED_SECRET` of that.
    pub(super) credential_secret: &'a [u8],
    /// `TPM2B_PRIVATE`: the key.
    pub(super) duplicate: &'a [u8],
    /// `TPM2B_ENCRYPTED_SECRET` of that.
    pub(super) duplicate_secret: &'a [u8],
    /// `TPM2B_PUBLIC` of the key.
    pub(super) public: &'a [u8],
}

impl<'a> Parts<'a> {
    /// What follows them is data that nobody uses.
    pub(super) fn read(blob: &'a [u8]) -> Option<Self> {
        let mut rest = blob;
        let mut next = || take(&mut rest);
        Some(Self {
            credential: next()?,
            credential_secret: next()?,
            duplicate: next()?,
            duplicate_secret: next()?,
            public: next()?,
        })
    }
}

/// The next bytes, behind their length.
pub(super) fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk::<2>()?;
    let (taken, left) = behind.split_at_checked(u16::from_be_bytes(*length).into())?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_that_ends_too_early_is_none() {
        let blob = [0, 1, 7, 0, 0, 0, 2, 8, 9, 0, 0, 0, 1, 5, 0, 0];
        let parts = Parts::read(&blob).unwrap();
        assert_eq!((parts.credential, parts.duplicate, parts.public), (&[7][..], &[8, 9][..], &[5][..]));
        for end in 0..14 {
            assert!(Parts::read(&blob[..end]).is_none(), "{end}");
        }
    }
}
