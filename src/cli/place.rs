//! Directories that options name.

use std::path::Path;

use anyhow::{Context, bail};

/// Whether a directory can be written to, or made in one that can; tells whether it has to be made. It is left as it is.
pub(super) fn check_place(directory: &Path, option: &str) -> anyhow::Result<bool> {
    let is_new = !directory.exists();
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    let place = if is_new { parent.unwrap_or(Path::new(".")) } else { directory };
    if !place.is_dir() {
        bail!("{option} {}: there is no directory {}: make it first", directory.display(), place.display());
    }
    tempfile::tempfile_in(place)
        .with_context(|| format!("{option} {}: can't write in {}", directory.display(), place.display()))?;
    Ok(is_new)
}
