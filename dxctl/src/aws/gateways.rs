//! [`Client`]'s calls about what virtual interfaces lead to and run over: Direct
//! Connect gateways and their associations, connections and LAGs, tags.

use aws_sdk_directconnect::types as sdk;
use ipnet::IpNet;

use super::AwsError;
use super::client::{Client, asked_once, following, tags};
use super::convert;
use super::types::{Association, Carrier, DxGateway, NewGateway, Tag};

impl Client {
    pub(super) async fn all_connections(&self) -> Result<Vec<Carrier>, AwsError> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let call = self.sdk.describe_connections().set_next_token(token.take());
            let page = call.send().await;
            let page = page.map_err(|error| self.error("list the connections", &error))?;
            all.extend(page.connections().iter().map(convert::connection));
            token = following(page.next_token());
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    pub(super) async fn all_lags(&self) -> Result<Vec<Carrier>, AwsError> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let call = self.sdk.describe_lags().set_next_token(token.take());
            let page = call.send().await;
            let page = page.map_err(|error| self.error("list the LAGs", &error))?;
            all.extend(page.lags().iter().map(convert::lag));
            token = following(page.next_token());
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    pub(super) async fn associations_of(
        &self,
        gateway: &str,
    ) -> Result<Vec<Association>, AwsError> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let call = self
                .sdk
                .describe_direct_connect_gateway_associations()
                .direct_connect_gateway_id(gateway)
                .set_next_token(token.take());
            let page = call.send().await.map_err(|error| {
                self.error(format!("list the associations of {gateway}"), &error)
            })?;
            let found = page.direct_connect_gateway_associations().iter();
            all.extend(found.map(convert::association));
            token = following(page.next_token());
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    pub(super) async fn new_gateway(&self, gateway: &NewGateway) -> Result<DxGateway, AwsError> {
        let what = || format!("create the Direct Connect gateway {}", gateway.name);
        let tags = tags(&gateway.tags).map_err(|field| self.unbuildable(what(), &field))?;
        let call = self
            .sdk
            .create_direct_connect_gateway()
            .direct_connect_gateway_name(&gateway.name)
            .set_amazon_side_asn(gateway.amazon_asn.map(|asn| i64::from(asn.0)))
            .set_tags(tags);
        let sent = call.customize().config_override(asked_once()).send().await;
        let answer = sent.map_err(|error| self.error(what(), &error))?;
        let created = answer.direct_connect_gateway().map(convert::dx_gateway);
        created.ok_or_else(|| AwsError::incomplete(what(), &self.place, "gateway in it"))
    }

    pub(super) async fn remove_gateway(&self, id: &str) -> Result<String, AwsError> {
        let call = self
            .sdk
            .delete_direct_connect_gateway()
            .direct_connect_gateway_id(id);
        let answer = call
            .customize()
            .config_override(asked_once())
            .send()
            .await
            .map_err(|error| {
                self.error(format!("delete the Direct Connect gateway {id}"), &error)
            })?;
        let state = answer
            .direct_connect_gateway()
            .and_then(|gateway| gateway.direct_connect_gateway_state());
        Ok(state.map_or("unknown", |s| s.as_str()).to_owned())
    }

    pub(super) async fn new_association(
        &self,
        gateway: &str,
        target: &str,
        allowed: &[IpNet],
    ) -> Result<Association, AwsError> {
        let what = || format!("associate {target} with the Direct Connect gateway {gateway}");
        let call = self
            .sdk
            .create_direct_connect_gateway_association()
            .direct_connect_gateway_id(gateway)
            .gateway_id(target)
            .set_add_allowed_prefixes_to_direct_connect_gateway(prefixes(allowed));
        let sent = call.customize().config_override(asked_once()).send().await;
        let answer = sent.map_err(|error| self.error(what(), &error))?;
        let created = answer.direct_connect_gateway_association();
        let created = created.map(convert::association);
        created.ok_or_else(|| AwsError::incomplete(what(), &self.place, "association in it"))
    }

    pub(super) async fn change_association(
        &self,
        id: &str,
        add: &[IpNet],
        remove: &[IpNet],
    ) -> Result<Association, AwsError> {
        let what = || format!("change the allowed prefixes of the association {id}");
        let call = self
            .sdk
            .update_direct_connect_gateway_association()
            .association_id(id)
            .set_add_allowed_prefixes_to_direct_connect_gateway(prefixes(add))
            .set_remove_allowed_prefixes_to_direct_connect_gateway(prefixes(remove));
        let sent = call.customize().config_override(asked_once()).send().await;
        let answer = sent.map_err(|error| self.error(what(), &error))?;
        let changed = answer.direct_connect_gateway_association();
        let changed = changed.map(convert::association);
        changed.ok_or_else(|| AwsError::incomplete(what(), &self.place, "association in it"))
    }

    pub(super) async fn remove_association(&self, id: &str) -> Result<Association, AwsError> {
        let what = || format!("delete the association {id}");
        let call = self
            .sdk
            .delete_direct_connect_gateway_association()
            .association_id(id);
        let sent = call.customize().config_override(asked_once()).send().await;
        let answer = sent.map_err(|error| self.error(what(), &error))?;
        let removed = answer.direct_connect_gateway_association();
        let removed = removed.map(convert::association);
        removed.ok_or_else(|| AwsError::incomplete(what(), &self.place, "association in it"))
    }

    pub(super) async fn put_tags(&self, arn: &str, new: &[Tag]) -> Result<(), AwsError> {
        let what = || format!("tag {arn}");
        let new = tags(new).map_err(|field| self.unbuildable(what(), &field))?;
        let call = self.sdk.tag_resource().resource_arn(arn).set_tags(new);
        let sent = call.send().await;
        sent.map(|_| ()).map_err(|error| self.error(what(), &error))
    }

    pub(super) async fn remove_tags(&self, arn: &str, keys: &[String]) -> Result<(), AwsError> {
        let call = self.sdk.untag_resource().resource_arn(arn);
        let call = call.set_tag_keys(Some(keys.to_vec()));
        let sent = call.send().await;
        sent.map(|_| ())
            .map_err(|error| self.error(format!("remove tags from {arn}"), &error))
    }
}

/// Left out, AWS takes its default; an empty list is no list.
fn prefixes(prefixes: &[IpNet]) -> Option<Vec<sdk::RouteFilterPrefix>> {
    let all = prefixes.iter().map(|prefix| {
        sdk::RouteFilterPrefix::builder()
            .cidr(prefix.to_string())
            .build()
    });
    Some(all.collect()).filter(|all: &Vec<_>| !all.is_empty())
}
