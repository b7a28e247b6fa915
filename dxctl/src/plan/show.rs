//! A plan as people read it, and as machines do.

use serde_json::{Value, json};

use super::step::{Action, Call, Field};
use super::{Plan, Step};
use crate::pick::{Choice, Detail};

/// `+` comes, `~` changes, `-` goes, `!` says what is cut.
pub(crate) fn listing(plan: &Plan) -> String {
    if plan.is_empty() {
        return "no changes: AWS is as the site file says\n".to_owned();
    }
    let mut text: String = plan.steps.iter().map(lines).collect();
    text.push_str(&summary(plan));
    text.push('\n');
    text
}

fn lines(step: &Step) -> String {
    let mark = match step.action {
        Action::Create => '+',
        Action::Change => '~',
        Action::Delete => '-',
        Action::Wait => ' ',
    };
    let id = step
        .id
        .as_ref()
        .map(|id| format!(" ({id})"))
        .unwrap_or_default();
    let mut text = format!("{mark} {}{id}\n", step.label());
    for field in &step.fields {
        text.push_str(&format!("    {}\n", field_text(field)));
    }
    if let Some(cut) = &step.cut {
        text.push_str(&format!(
            "  ! {} (needs --allow {})\n",
            cut.what,
            cut.consent()
        ));
    }
    text
}

fn field_text(field: &Field) -> String {
    let name = field.name;
    match (&field.from, &field.to) {
        (None, Some(to)) => format!("{name}: {to}"),
        (Some(from), Some(to)) => format!("{name}: {from} → {to}"),
        (Some(from), None) => format!("{name}: {from} goes"),
        (None, None) => name.to_owned(),
    }
}

fn summary(plan: &Plan) -> String {
    let count = |action| {
        plan.steps
            .iter()
            .filter(|step| step.action == action)
            .count()
    };
    let cuts = plan.steps.iter().filter(|step| step.cut.is_some()).count();
    let mut text = format!(
        "{} to create, {} to change, {} to delete",
        count(Action::Create),
        count(Action::Change),
        count(Action::Delete)
    );
    if cuts > 0 {
        text.push_str(&format!("; {cuts} cut traffic"));
    }
    text
}

/// Choices, and on demand where the keys of what is made come from.
pub(crate) fn choices(plan: &Plan, detail: Detail) -> Vec<Choice> {
    let keys = plan.steps.iter().filter(|_| detail == Detail::Everything);
    let keys = keys.filter_map(|step| {
        let (family, key) = match &step.call {
            Call::CreateVif { new, key, .. } => (new.peer.family, key),
            Call::CreatePeer { peer, key, .. } => (peer.family, key),
            _ => return None,
        };
        Some(Choice {
            of: Some(format!("vif {:?}, {family}", step.name)),
            what: "MD5 key",
            value: "(not shown)".to_owned(),
            reason: key.reason(),
            excluded: Vec::new(),
        })
    });
    plan.choices.iter().cloned().chain(keys).collect()
}

pub(crate) fn to_json(plan: &Plan, detail: Detail) -> Value {
    let steps = plan.steps.iter().map(|step| {
        json!({
            "action": step.action,
            "kind": step.kind,
            "name": step.name,
            "id": step.id,
            "fields": step.fields,
            "cut": step.cut.as_ref().map(|cut| json!({
                "what": cut.what,
                "consent": cut.consent(),
            })),
        })
    });
    let choices = choices(plan, detail).into_iter();
    let choices = choices.map(|choice| choice.to_json(detail));
    json!({
        "changes": steps.collect::<Vec<_>>(),
        "notes": plan.notes,
        "choices": choices.collect::<Vec<_>>(),
    })
}
