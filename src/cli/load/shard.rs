//! Which part of the fleet this program plays: as it is told, or as the scheduler that has started it says.

use anyhow::{Context, bail};

use crate::lab::load::Shard;

/// What a scheduler says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    variable: &'static str,
    shard: Shard,
}

/// Reads 3/16.
pub(super) fn parse(text: &str) -> Result<Shard, String> {
    let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
    match numbers {
        Some((index, of)) if (1..=of).contains(&index) => Ok(Shard { index, of }),
        _ => Err("a part and how many there are, like 3/16; the first is 1/16, the last 16/16".into()),
    }
}

/// The part: `given`, or what `variable`s of the environment say, of so many where `shards` says that; `None` for the whole.
pub(super) fn find(
    given: Option<Shard>,
    shards: Option<u32>,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<Shard>> {
    let number = |name: &'static str| match variable(name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => {
            let number = text.trim().parse::<u32>();
            number.map(Some).with_context(|| format!("{name} in the environment is no number"))
        }
    };
    if given.is_some() && shards.is_none() {
        return settled(given, &said(None, &number).unwrap_or_default());
    }
    let all = said(shards, &number)?;
    if let [one, other, ..] = all.as_slice()
        && one.shard != other.shard
    {
        bail!(
            "{} says shard {}, and {} says {}: tell which one is meant with --shard, and unset the other variable",
            one.variable,
            one.shard,
            other.variable,
            other.shard
        );
    }
    if let (Some(shards), []) = (shards, all.as_slice()) {
        bail!(
            "--shards {shards}: no scheduler tells which of them this is (JOB_COMPLETION_INDEX, SLURM_ARRAY_TASK_ID, \
             NOMAD_ALLOC_INDEX); say --shard I/{shards}"
        );
    }
    settled(given, &all)
}

/// A shard that is given by hand goes, unless a scheduler has started many of the same.
fn settled(given: Option<Shard>, said: &[Said]) -> anyhow::Result<Option<Shard>> {
    let Some(given) = given else { return Ok(said.first().map(|said| said.shard)) };
    if let Some(other) = said.iter().find(|said| said.shard != given) {
        bail!(
            "--shard {given} is given, and {} says that this is {}: leave --shard out, or every task would play the same devices; \
             unset the variable if it is meant",
            other.variable,
            other.shard
        );
    }
    Ok(Some(given))
}

fn said(
    shards: Option<u32>,
    number: &impl Fn(&'static str) -> anyhow::Result<Option<u32>>,
) -> anyhow::Result<Vec<Said>> {
    let mut all = Vec::new();
    let mut add = |variable: &'static str, index: Option<u32>, of: u32, from: u32| -> anyhow::Result<()> {
        let Some(index) = index.filter(|index| (1..=of).contains(index)) else {
            bail!(
                "{variable} is none of {from} to {}: number the tasks from {from}, as many as there are shards",
                u64::from(from) + u64::from(of) - 1
            );
        };
        all.push(Said { variable, shard: Shard { index, of } });
        Ok(())
    };
    for (variable, count) in [("JOB_COMPLETION_INDEX", Some("JOB_COMPLETIONS")), ("NOMAD_ALLOC_INDEX", None)]
    {
        let Some(index) = number(variable)? else { continue };
        let of = match (shards, count) {
            (Some(shards), _) => Some(shards),
            (None, Some(count)) => number(count)?,
            (None, None) => None,
        };
        let of = of.with_context(|| format!("{variable} says {index}, but of how many? Say --shards N"))?;
        add(variable, index.checked_add(1), of, 0)?;
    }
    if let Some(id) = number("SLURM_ARRAY_TASK_ID")? {
        let variable = "SLURM_ARRAY_TASK_ID";
        match (shards, number("SLURM_ARRAY_TASK_COUNT")?) {
            // One task that is started again by its number is an array of one.
            (Some(shards), _) => add(variable, Some(id), shards, 1)?,
            (None, Some(of)) => {
                let min = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(id);
                let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
                add(variable, id.checked_sub(min).map(|from| from / step + 1), of, min)?;
            }
            (None, None) => bail!("{variable} says {id}, but of how many? Say --shards N"),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(given: &str, shards: Option<u32>, environment: &[(&str, &str)]) -> Result<String, String> {
        let given = (!given.is_empty()).then(|| parse(given).unwrap());
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let found = find(given, shards, variable);
        found
            .map(|shard| shard.map_or_else(|| "whole".into(), |shard| shard.to_string()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn schedulers_say_which_part_it_is() {
        let array = |id, min, count| {
            [("SLURM_ARRAY_TASK_ID", id), ("SLURM_ARRAY_TASK_MIN", min), ("SLURM_ARRAY_TASK_COUNT", count)]
        };
        for (given, shards, environment, expected) in [
            ("", None, &[][..], "whole"),
            ("3/16", None, &[], "3/16"),
            ("", Some(4), &[("JOB_COMPLETION_INDEX", "0")], "1/4"),
            ("", None, &[("JOB_COMPLETION_INDEX", "3"), ("JOB_COMPLETIONS", "4")], "4/4"),
            ("", Some(8), &[("NOMAD_ALLOC_INDEX", "7")], "8/8"),
            ("", None, &array("5", "4", "3"), "2/3"),
            ("", None, &array("0", "0", "3"), "1/3"),
            ("", Some(4), &array("3", "3", "1"), "3/4"),
            ("", None, &[("JOB_COMPLETION_INDEX", "")], "whole"),
            // By hand, inside of something that has a number of its own kind.
            ("2/4", None, &[("NOMAD_ALLOC_INDEX", "0")], "2/4"),
        ] {
            assert_eq!(found(given, shards, environment).as_deref(), Ok(expected), "{environment:?}");
        }
    }

    #[test]
    fn what_contradicts_itself_or_says_too_little_gets_a_sentence() {
        for (given, shards, environment, expected) in [
            ("", Some(4), &[][..], "say --shard I/4"),
            ("", None, &[("JOB_COMPLETION_INDEX", "3")], "of how many? Say --shards N"),
            ("", Some(4), &[("JOB_COMPLETION_INDEX", "4")], "none of 0 to 3"),
            ("", Some(4), &[("SLURM_ARRAY_TASK_ID", "0")], "none of 1 to 4"),
            ("", None, &[("NOMAD_ALLOC_INDEX", "x")], "NOMAD_ALLOC_INDEX in the environment is no number"),
            (
                "1/4",
                None,
                &[
                    ("SLURM_ARRAY_TASK_ID", "3"),
                    ("SLURM_ARRAY_TASK_MIN", "1"),
                    ("SLURM_ARRAY_TASK_COUNT", "4"),
                ],
                "every task would play the same devices",
            ),
            (
                "",
                Some(4),
                &[("SLURM_ARRAY_TASK_ID", "3"), ("JOB_COMPLETION_INDEX", "3")],
                "and SLURM_ARRAY_TASK_ID says 3/4",
            ),
        ] {
            let error = found(given, shards, environment).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        for bad in ["", "3", "0/4", "5/4", "a/b", "1/0", "-1/4"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
