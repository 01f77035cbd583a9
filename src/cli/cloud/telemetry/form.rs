//! What all forms are, to who writes them.

use crate::cli::cloud::readings::Row;

/// A form that readings are written in.
pub(super) trait Form {
    /// What stands before all of them.
    fn begin(&mut self, _out: &mut String) -> anyhow::Result<()> {
        Ok(())
    }

    /// One of them.
    fn row(&mut self, row: &Row<'_>, out: &mut String) -> anyhow::Result<()>;

    /// What stands behind all of them.
    fn end(&mut self, _out: &mut String) -> anyhow::Result<()> {
        Ok(())
    }

    /// What people should know of what was written.
    fn note(&self) -> Option<String> {
        None
    }
}
