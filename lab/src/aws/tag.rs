//! Tags: `TagResource`, `UntagResource`, `DescribeTags`, and those given when
//! something is created.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{ApiError, ErrorKind};
use super::simulator::{Account, Simulator, Tags};

#[derive(Deserialize)]
pub struct Tag {
    key: String,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagResource {
    resource_arn: String,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeTags {
    resource_arns: Vec<String>,
}

/// API reference: at most 50 tags a resource.
const MAX_TAGS: usize = 50;

impl Simulator {
    pub(super) fn tag_resource(
        &mut self,
        caller: &Account,
        request: TagResource,
    ) -> Result<Value, ApiError> {
        self.check_arn(caller, &request.resource_arn)?;
        let mut tags = self
            .tags
            .get(&request.resource_arn)
            .cloned()
            .unwrap_or_default();
        tags.extend(unique(request.tags)?);
        self.put_tags(request.resource_arn, tags)?;
        Ok(json!({}))
    }

    pub(super) fn untag_resource(
        &mut self,
        caller: &Account,
        request: UntagResource,
    ) -> Result<Value, ApiError> {
        self.check_arn(caller, &request.resource_arn)?;
        if let Some(tags) = self.tags.get_mut(&request.resource_arn) {
            tags.retain(|key, _| !request.tag_keys.contains(key));
        }
        Ok(json!({}))
    }

    pub(super) fn describe_tags(
        &self,
        caller: &Account,
        request: &DescribeTags,
    ) -> Result<Value, ApiError> {
        let mut resources = vec![];
        for arn in &request.resource_arns {
            self.check_arn(caller, arn)?;
            resources.push(json!({ "resourceArn": arn, "tags": self.tags_of(arn) }));
        }
        Ok(json!({ "resourceTags": resources }))
    }

    /// The tags of a resource as the API lists them.
    pub(super) fn tags_of(&self, arn: &str) -> Value {
        let tags = self.tags.get(arn).into_iter().flatten();
        tags.map(|(key, value)| json!({ "key": key, "value": value }))
            .collect()
    }

    pub(super) fn put_tags(&mut self, arn: String, tags: Tags) -> Result<(), ApiError> {
        if tags.len() > MAX_TAGS {
            let text = format!("A resource can have at most {MAX_TAGS} tags.");
            return Err(ApiError::new(ErrorKind::TooManyTags, text));
        }
        self.tags.insert(arn, tags);
        Ok(())
    }

    /// `arn:aws:directconnect:REGION:ACCOUNT:dxvif/ID`; `kind` is the part
    /// before the slash. The ARNs of gateways and resiliency groups have no Region.
    pub(super) fn arn(&self, owner: &Account, kind: &str, id: &str) -> String {
        let region = match kind {
            "dx-gateway" | "dx-resiliency-group" => "",
            _ => &self.region,
        };
        format!("arn:aws:directconnect:{region}:{owner}:{kind}/{id}")
    }

    fn check_arn(&self, caller: &Account, arn: &str) -> Result<(), ApiError> {
        let connections = self
            .connections
            .iter()
            .map(|c| self.arn(&c.owner, "dxcon", &c.id));
        let lags = self.lags.iter().map(|l| self.arn(&l.owner, "dxlag", &l.id));
        let groups = self
            .groups
            .iter()
            .map(|g| self.arn(&g.owner, "dx-resiliency-group", &g.id));
        let vifs = self.vifs.iter().map(|v| self.arn(&v.owner, "dxvif", &v.id));
        let gateways = self
            .gateways
            .iter()
            .map(|g| self.arn(&g.owner, "dx-gateway", &g.id));
        let owned = format!(":{caller}:");
        if connections
            .chain(lags)
            .chain(groups)
            .chain(vifs)
            .chain(gateways)
            .any(|known| known == arn && arn.contains(&owned))
        {
            return Ok(());
        }
        Err(ApiError::client(format!("Resource {arn} does not exist.")))
    }
}

/// The tags of one request: no key twice, not too many.
pub fn unique(tags: Vec<Tag>) -> Result<Tags, ApiError> {
    let mut unique = Tags::new();
    for tag in tags {
        if unique.insert(tag.key, tag.value).is_some() {
            return Err(ApiError::new(
                ErrorKind::DuplicateTagKeys,
                "A tag key appears twice.",
            ));
        }
    }
    if unique.len() > MAX_TAGS {
        let text = format!("A resource can have at most {MAX_TAGS} tags.");
        return Err(ApiError::new(ErrorKind::TooManyTags, text));
    }
    Ok(unique)
}
