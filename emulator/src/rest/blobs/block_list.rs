//! The list that makes a blob of blocks: XML of one form, and no more of XML than that.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::storage::{MAX_BLOCKS, StorageError};

/// The longest ID of a block, before base64.
const MAX_ID: usize = 64;

/// Checks the ID of a block: base64 of 1 to 64 bytes.
pub(super) fn check_id(id: &str) -> Result<(), StorageError> {
    if STANDARD.decode(id).is_ok_and(|bytes| (1..=MAX_ID).contains(&bytes.len())) {
        return Ok(());
    }
    Err(StorageError::new(400, "InvalidBlockId", "a block ID is base64 of 1 to 64 bytes"))
}

/// The IDs of a list, in its order.
pub(super) fn parse(text: &str) -> Result<Vec<String>, StorageError> {
    let wrong = |why: &str| StorageError::new(400, "InvalidXmlDocument", format!("the block list {why}"));
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    if let Some(declared) = rest.strip_prefix("<?xml") {
        rest = declared
            .split_once("?>")
            .ok_or_else(|| wrong("has a declaration without an end"))?
            .1
            .trim_start();
    }
    if matches!(rest, "<BlockList/>" | "<BlockList />") {
        return Ok(Vec::new());
    }
    let outer = || wrong("has to be <BlockList>…</BlockList>");
    rest = rest.strip_prefix("<BlockList>").ok_or_else(outer)?;
    rest = rest.strip_suffix("</BlockList>").ok_or_else(outer)?.trim();
    let mut ids = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest
            .strip_prefix('<')
            .and_then(|open| open.split_once('>'))
            .filter(|(name, _)| matches!(*name, "Latest" | "Uncommitted" | "Committed"))
            .ok_or_else(|| wrong("holds <Latest>, <Uncommitted> and <Committed>, and nothing else"))?;
        if name == "Committed" {
            return Err(StorageError::not_implemented(
                "blocks of a blob that is there (<Committed>): upload them again",
            ));
        }
        let (id, after) =
            after.split_once(&format!("</{name}>")).ok_or_else(|| wrong("has an element without an end"))?;
        let id = id.trim();
        check_id(id)?;
        if ids.len() == MAX_BLOCKS {
            let why = format!("a blob has at most {MAX_BLOCKS} blocks");
            return Err(StorageError::new(400, "BlockListTooLong", why));
        }
        ids.push(id.to_owned());
        rest = after.trim_start();
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_the_sdks_write_them_are_read_and_others_are_not() {
        let c = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<BlockList><Latest>ICAgICAw</Latest><Latest>ICAgICAx</Latest></BlockList>";
        assert_eq!(parse(c).expect("a list"), ["ICAgICAw", "ICAgICAx"]);
        let python = "<?xml version='1.0' encoding='utf-8'?>\n<BlockList><Uncommitted>MQ==</Uncommitted>\n </BlockList>\n";
        assert_eq!(parse(python).expect("a list"), ["MQ=="]);
        assert!(parse("<BlockList/>").expect("a list").is_empty());
        for bad in [
            "",
            "<BlockList>",
            "<Blocks></Blocks>",
            "<BlockList><Latest>MQ==</BlockList>",
            "<BlockList><Latest>no!</Latest></BlockList>",
            "<BlockList><Latest></Latest></BlockList>",
            "<BlockList><Other>MQ==</Other></BlockList>",
            "<BlockList><Committed>MQ==</Committed></BlockList>",
            "<?xml <BlockList></BlockList>",
            "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><BlockList><Latest>&e;</Latest></BlockList>",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let many = format!("<BlockList>{}</BlockList>", "<Latest>MQ==</Latest>".repeat(MAX_BLOCKS + 1));
        assert_eq!(parse(&many).expect_err("long").code, "BlockListTooLong");
    }
}
