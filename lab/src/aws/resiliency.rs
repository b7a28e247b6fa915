//! Resiliency groups (2026-11): connections that are managed together. The only
//! calls of Direct Connect with a client token.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::page::Page;
use super::simulator::{Account, Simulator, Time};
use super::tag::{Tag, unique};

pub struct ResiliencyGroup {
    pub id: String,
    pub owner: String,
    region: String,
    name: String,
    members: Vec<Member>,
    phase: GroupPhase,
}

struct Member {
    arn: String,
    phase: MemberPhase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum GroupPhase {
    Pending { until: Time },
    Available,
    Deleting { until: Time },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MemberPhase {
    Associating { until: Time },
    Associated,
    Disassociating { until: Time },
}

/// A request that carried a token, and its answer.
pub struct Remembered {
    token: String,
    request: Value,
    answer: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateGroup {
    resiliency_group_name: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateGroup {
    resiliency_group_id: String,
    resiliency_group_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupQuery {
    resiliency_group_id: String,
    #[serde(flatten)]
    page: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupMembers {
    resiliency_group_id: String,
    /// Ids or ARNs.
    connection_identifiers: Vec<String>,
}

impl Simulator {
    /// Carries a request out once for each client token: the same again is
    /// answered as before, another with the same token is refused.
    pub(super) fn once(
        &mut self,
        caller: &Account,
        operation: &str,
        input: Value,
        act: impl FnOnce(&mut Self, Value) -> Result<Value, ApiError>,
    ) -> Result<Value, ApiError> {
        let Some(token) = input.get("clientToken").and_then(Value::as_str) else {
            return act(self, input);
        };
        let token = format!("{caller} {operation} {token}");
        if let Some(known) = self.remembered.iter().find(|known| known.token == token) {
            if known.request == input {
                return Ok(known.answer.clone());
            }
            let text = "The clientToken was used with other parameters.";
            return Err(ApiError::client(text));
        }
        let request = input.clone();
        let answer = act(self, input)?;
        self.remembered.push(Remembered {
            token,
            request,
            answer: answer.clone(),
        });
        Ok(answer)
    }

    pub(super) fn create_group(
        &mut self,
        caller: &Account,
        request: CreateGroup,
    ) -> Result<Value, ApiError> {
        let tags = unique(request.tags)?;
        let id = self.ids.long("dxrg");
        self.put_tags(self.arn(caller, "dx-resiliency-group", &id), tags)?;
        self.groups.push(ResiliencyGroup {
            id,
            owner: caller.to_owned(),
            region: self.region.clone(),
            name: request.resiliency_group_name,
            members: vec![],
            phase: GroupPhase::Pending {
                until: self.now + self.delays.associating,
            },
        });
        let created = self.groups.last().expect("invariant: pushed just now");
        Ok(self.group_answer(created))
    }

    pub(super) fn group(&self, caller: &Account, request: &GroupQuery) -> Result<Value, ApiError> {
        let at = self.group_index(caller, &request.resiliency_group_id)?;
        Ok(self.group_answer(&self.groups[at]))
    }

    pub(super) fn list_groups(&self, caller: &Account, page: &Page) -> Result<Value, ApiError> {
        let here = |group: &&ResiliencyGroup| group.owner == caller && group.region == self.region;
        let groups = self.groups.iter().filter(here).map(|group| {
            let mut summary = self.group_json(group);
            summary["tags"] = Value::Null;
            summary
        });
        page.of("items", groups.collect())
    }

    pub(super) fn update_group(
        &mut self,
        caller: &Account,
        request: UpdateGroup,
    ) -> Result<Value, ApiError> {
        let at = self.group_index(caller, &request.resiliency_group_id)?;
        self.groups[at].name = request.resiliency_group_name;
        Ok(self.group_answer(&self.groups[at]))
    }

    pub(super) fn delete_group(
        &mut self,
        caller: &Account,
        request: &GroupQuery,
    ) -> Result<Value, ApiError> {
        let at = self.group_index(caller, &request.resiliency_group_id)?;
        let until = self.now + self.delays.deleting;
        let group = &mut self.groups[at];
        if !group.members.is_empty() {
            let text = format!("Resiliency group {} has connections.", group.id);
            return Err(ApiError::client(text));
        }
        group.phase = GroupPhase::Deleting { until };
        Ok(self.group_answer(&self.groups[at]))
    }

    pub(super) fn list_members(
        &self,
        caller: &Account,
        request: &GroupQuery,
    ) -> Result<Value, ApiError> {
        let group = &self.groups[self.group_index(caller, &request.resiliency_group_id)?];
        let members = group.members.iter().map(|member| member.json(group));
        request.page.of("items", members.collect())
    }

    /// All of them or none.
    pub(super) fn associate_members(
        &mut self,
        caller: &Account,
        request: &GroupMembers,
    ) -> Result<Value, ApiError> {
        let at = self.group_index(caller, &request.resiliency_group_id)?;
        let arns = self.connection_arns(caller, &request.connection_identifiers)?;
        let until = self.now + self.delays.associating;
        let group = &mut self.groups[at];
        if !matches!(group.phase, GroupPhase::Available) {
            let text = format!("Resiliency group {} is not available.", group.id);
            return Err(ApiError::client(text));
        }
        let is_member = |arn: &&String| group.members.iter().any(|m| m.arn == **arn);
        if let Some(arn) = arns.iter().find(is_member) {
            let text = format!("{arn} is in resiliency group {} already.", group.id);
            return Err(ApiError::client(text));
        }
        let phase = MemberPhase::Associating { until };
        let added = arns.into_iter().map(|arn| Member { arn, phase });
        let first = group.members.len();
        group.members.extend(added);
        Ok(group.answer(&group.members[first..]))
    }

    /// All of them or none.
    pub(super) fn disassociate_members(
        &mut self,
        caller: &Account,
        request: &GroupMembers,
    ) -> Result<Value, ApiError> {
        let at = self.group_index(caller, &request.resiliency_group_id)?;
        let arns = self.connection_arns(caller, &request.connection_identifiers)?;
        let until = self.now + self.delays.associating;
        let group = &mut self.groups[at];
        let is_member = |arn: &&String| group.members.iter().any(|m| m.arn == **arn);
        if let Some(arn) = arns.iter().find(|arn| !is_member(arn)) {
            let text = format!("{arn} is not in resiliency group {}.", group.id);
            return Err(ApiError::client(text));
        }
        for member in &mut group.members {
            if arns.contains(&member.arn) {
                member.phase = MemberPhase::Disassociating { until };
            }
        }
        let leaving = group.members.iter().filter(|m| arns.contains(&m.arn));
        Ok(group.answer(leaving))
    }

    pub(super) fn advance_groups(&mut self) {
        let now = self.now;
        for group in &mut self.groups {
            if matches!(group.phase, GroupPhase::Pending { until } if now >= until) {
                group.phase = GroupPhase::Available;
            }
            for member in &mut group.members {
                if matches!(member.phase, MemberPhase::Associating { until } if now >= until) {
                    member.phase = MemberPhase::Associated;
                }
            }
            let gone =
                |phase| matches!(phase, MemberPhase::Disassociating { until } if now >= until);
            group.members.retain(|member| !gone(member.phase));
        }
        let gone = |phase| matches!(phase, GroupPhase::Deleting { until } if now >= until);
        self.groups.retain(|group| !gone(group.phase));
    }

    fn connection_arns(&self, caller: &Account, ids: &[String]) -> Result<Vec<String>, ApiError> {
        let mut arns: Vec<String> = vec![];
        for identifier in ids {
            let id = identifier.rsplit('/').next().unwrap_or_default();
            let at = self.connection_index(caller, id)?;
            let arn = self.arn(caller, "dxcon", &self.connections[at].id);
            if identifier != id && *identifier != arn {
                let text = format!("Resource {identifier} does not exist.");
                return Err(ApiError::client(text));
            }
            if arns.contains(&arn) {
                let text = format!("{identifier} appears twice.");
                return Err(ApiError::client(text));
            }
            arns.push(arn);
        }
        Ok(arns)
    }

    fn group_index(&self, caller: &Account, id: &str) -> Result<usize, ApiError> {
        self.groups
            .iter()
            .position(|g| {
                g.id.eq_ignore_ascii_case(id) && g.owner == caller && g.region == self.region
            })
            .ok_or_else(|| ApiError::client(format!("Resiliency group {id} does not exist.")))
    }

    fn group_answer(&self, group: &ResiliencyGroup) -> Value {
        json!({ "resiliencyGroup": self.group_json(group) })
    }

    fn group_json(&self, group: &ResiliencyGroup) -> Value {
        let state = match group.phase {
            GroupPhase::Pending { .. } => "pending",
            GroupPhase::Available => "available",
            GroupPhase::Deleting { .. } => "deleting",
        };
        let arn = self.arn(&group.owner, "dx-resiliency-group", &group.id);
        json!({
            "resiliencyGroupId": group.id,
            "resiliencyGroupArn": arn,
            "resiliencyGroupName": group.name,
            "resiliencyGroupType": "Managed",
            "ownerAccount": group.owner,
            "state": state,
            "tags": self.tags_of(&arn),
        })
    }
}

impl ResiliencyGroup {
    fn answer<'a>(&self, members: impl IntoIterator<Item = &'a Member>) -> Value {
        let members = members.into_iter().map(|member| member.json(self));
        json!({ "resiliencyGroupAssociations": members.collect::<Vec<_>>() })
    }
}

impl Member {
    fn json(&self, group: &ResiliencyGroup) -> Value {
        let state = match self.phase {
            MemberPhase::Associating { .. } => "associating",
            MemberPhase::Associated => "associated",
            MemberPhase::Disassociating { .. } => "disassociating",
        };
        json!({ "resiliencyGroupId": group.id, "connectionArn": self.arn, "state": state })
    }
}
