//! [`DirectConnect`] by the AWS SDK: credentials, region and endpoint as every
//! AWS tool takes them.

use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_sdk_directconnect::config::Builder;
use aws_sdk_directconnect::types as sdk;
use bgp_core::Family;
use bgp_core::config::{AuthKey, VifKind};
use ipnet::IpNet;
use serde_json::json;
use zeroize::Zeroizing;

use super::convert::{self, virtual_interface};
use super::types::{
    Association, Carrier, DxGateway, Gateway, NewGateway, NewPeer, NewVif, Tag, VifUpdate,
    VirtualInterface,
};
use super::{AwsError, DirectConnect, Filter, SecretAt};
use crate::{Refused, rules};

/// Where and as whom to call; what is `None` comes from the environment and
/// the shared configuration files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    pub(crate) profile: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) endpoint_url: Option<String>,
}

pub(crate) struct Client {
    pub(super) sdk: aws_sdk_directconnect::Client,
    pub(super) region: String,
    /// For messages.
    pub(super) place: String,
}

impl Client {
    pub(crate) async fn connect(access: &Access) -> Result<Self, Refused> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::standard().with_max_attempts(4))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(Duration::from_secs(20))
                    .operation_timeout(Duration::from_secs(60))
                    .build(),
            );
        if let Ok(name) = AppName::new(concat!("dxctl-", env!("CARGO_PKG_VERSION"))) {
            loader = loader.app_name(name);
        }
        if let Some(profile) = &access.profile {
            // As with every AWS tool, a profile that is asked for wins over the
            // environment's credentials; the SDK's default chain has it the other way.
            let provider = ProfileFileCredentialsProvider::builder()
                .profile_name(profile)
                .build();
            loader = loader.profile_name(profile).credentials_provider(provider);
        }
        if let Some(region) = &access.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let config = loader.load().await;
        let Some(region) = config.region() else {
            return Err(Refused::usage(
                "no AWS region is chosen: give --region, set AWS_REGION, or add `region` to the profile in ~/.aws/config",
            ));
        };
        if !rules::is_region(region.as_ref()) {
            return Err(Refused::usage(format!(
                "{:?} is no AWS region: write it as eu-central-1, in --region, AWS_REGION or ~/.aws/config",
                region.as_ref()
            )));
        }
        // Without credentials the first call says so.
        let mut place = format!("Direct Connect in {region}");
        let mut builder = Builder::from(&config);
        if let Some(url) = &access.endpoint_url {
            check_url(url)?;
            builder = builder.endpoint_url(url);
            place = format!("{place} at {url}");
        } else if let Some(url) = endpoint_in_environment() {
            place = format!("{place} at {url}");
        }
        if let Some(profile) = &access.profile {
            place = format!("{place}, profile {profile}");
        }
        tracing::debug!(place, "calling the API");
        Ok(Self {
            sdk: aws_sdk_directconnect::Client::from_conf(builder.build()),
            region: region.to_string(),
            place,
        })
    }

    pub(super) fn error<E, R>(
        &self,
        what: impl Into<String>,
        error: &aws_sdk_directconnect::error::SdkError<E, R>,
    ) -> AwsError
    where
        E: aws_sdk_directconnect::error::ProvideErrorMetadata
            + aws_sdk_directconnect::operation::RequestId
            + std::error::Error
            + 'static,
        R: std::fmt::Debug + 'static,
    {
        AwsError::new(what.into(), &self.place, error)
    }

    async fn lag(&self, id: &str) -> Result<Option<Carrier>, AwsError> {
        let mut token: Option<String> = None;
        loop {
            let call = self
                .sdk
                .describe_lags()
                .lag_id(id)
                .set_next_token(token.take());
            let page = call
                .send()
                .await
                .map_err(|error| self.error(format!("describe LAG {id}"), &error))?;
            token = following(page.next_token());
            if let Some(lag) = page.lags().first() {
                return Ok(Some(convert::lag(lag)));
            }
            if token.is_none() {
                return Ok(None);
            }
        }
    }

    async fn connection(&self, id: &str) -> Result<Option<Carrier>, AwsError> {
        let mut token: Option<String> = None;
        loop {
            let call = self
                .sdk
                .describe_connections()
                .connection_id(id)
                .set_next_token(token.take());
            let page = call
                .send()
                .await
                .map_err(|error| self.error(format!("describe connection {id}"), &error))?;
            token = following(page.next_token());
            if let Some(connection) = page.connections().first() {
                return Ok(Some(convert::connection(connection)));
            }
            if token.is_none() {
                return Ok(None);
            }
        }
    }
}

impl DirectConnect for Client {
    fn region(&self) -> &str {
        &self.region
    }

    async fn virtual_interfaces(
        &self,
        filter: Filter<'_>,
    ) -> Result<Vec<VirtualInterface>, AwsError> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut call = self
                .sdk
                .describe_virtual_interfaces()
                .set_next_token(token.take());
            call = match filter {
                Filter::All => call,
                Filter::Id(id) => call.virtual_interface_id(id),
                Filter::Carrier(id) => call.connection_id(id),
            };
            let page = call
                .send()
                .await
                .map_err(|error| self.error(filter.to_string(), &error))?;
            all.extend(page.virtual_interfaces().iter().map(convert::described));
            token = following(page.next_token());
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    async fn carrier(&self, id: &str) -> Result<Option<Carrier>, AwsError> {
        if id.starts_with("dxlag-") {
            self.lag(id).await
        } else {
            self.connection(id).await
        }
    }

    async fn gateways(&self) -> Result<Vec<DxGateway>, AwsError> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let call = self
                .sdk
                .describe_direct_connect_gateways()
                .set_next_token(token.take());
            let page = call
                .send()
                .await
                .map_err(|error| self.error("list the Direct Connect gateways", &error))?;
            all.extend(
                page.direct_connect_gateways()
                    .iter()
                    .map(convert::dx_gateway),
            );
            token = following(page.next_token());
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    async fn connections(&self) -> Result<Vec<Carrier>, AwsError> {
        self.all_connections().await
    }

    async fn lags(&self) -> Result<Vec<Carrier>, AwsError> {
        self.all_lags().await
    }

    async fn associations(&self, gateway: &str) -> Result<Vec<Association>, AwsError> {
        self.associations_of(gateway).await
    }

    async fn create_gateway(&self, gateway: &NewGateway) -> Result<DxGateway, AwsError> {
        self.new_gateway(gateway).await
    }

    async fn delete_gateway(&self, id: &str) -> Result<String, AwsError> {
        self.remove_gateway(id).await
    }

    async fn associate(
        &self,
        gateway: &str,
        target: &str,
        allowed: &[IpNet],
    ) -> Result<Association, AwsError> {
        self.new_association(gateway, target, allowed).await
    }

    async fn update_association(
        &self,
        id: &str,
        add: &[IpNet],
        remove: &[IpNet],
    ) -> Result<Association, AwsError> {
        self.change_association(id, add, remove).await
    }

    async fn disassociate(&self, id: &str) -> Result<Association, AwsError> {
        self.remove_association(id).await
    }

    async fn create(&self, vif: &NewVif) -> Result<VirtualInterface, AwsError> {
        let what = || format!("create virtual interface {} on {}", vif.name, vif.carrier);
        match vif.kind {
            VifKind::Private => {
                let call = self
                    .sdk
                    .create_private_virtual_interface()
                    .connection_id(&vif.carrier)
                    .new_private_virtual_interface(
                        new_private(vif).map_err(|field| self.unbuildable(what(), &field))?,
                    );
                let sent = call.customize().config_override(asked_once()).send().await;
                let answer = sent.map_err(|error| self.error(what(), &error))?;
                Ok(virtual_interface!(&answer))
            }
            VifKind::Public => {
                let call = self
                    .sdk
                    .create_public_virtual_interface()
                    .connection_id(&vif.carrier)
                    .new_public_virtual_interface(
                        new_public(vif).map_err(|field| self.unbuildable(what(), &field))?,
                    );
                let sent = call.customize().config_override(asked_once()).send().await;
                let answer = sent.map_err(|error| self.error(what(), &error))?;
                Ok(virtual_interface!(&answer))
            }
            VifKind::Transit => {
                let call = self
                    .sdk
                    .create_transit_virtual_interface()
                    .connection_id(&vif.carrier)
                    .new_transit_virtual_interface(
                        new_transit(vif).map_err(|field| self.unbuildable(what(), &field))?,
                    );
                let sent = call.customize().config_override(asked_once()).send().await;
                let answer = sent.map_err(|error| self.error(what(), &error))?;
                let created = answer.virtual_interface().map(convert::described);
                created.ok_or_else(|| {
                    AwsError::incomplete(what(), &self.place, "virtual interface in it")
                })
            }
        }
    }

    async fn create_peer(&self, vif: &str, peer: &NewPeer) -> Result<VirtualInterface, AwsError> {
        let what = || format!("create the {} peer of {vif}", peer.family);
        let new = sdk::NewBgpPeer::builder()
            .asn_long(i64::from(peer.asn.0))
            .address_family(address_family(peer.family))
            .set_auth_key(key(peer))
            .set_amazon_address(peer.addresses.map(|pair| pair.amazon.to_string()))
            .set_customer_address(peer.addresses.map(|pair| pair.customer.to_string()))
            .build();
        let call = self
            .sdk
            .create_bgp_peer()
            .virtual_interface_id(vif)
            .new_bgp_peer(new);
        let sent = call.customize().config_override(asked_once()).send().await;
        let answer = sent.map_err(|error| self.error(what(), &error))?;
        let changed = answer.virtual_interface().map(convert::described);
        changed.ok_or_else(|| AwsError::incomplete(what(), &self.place, "virtual interface in it"))
    }

    async fn delete_peer(&self, vif: &str, peer: &str) -> Result<VirtualInterface, AwsError> {
        let what = || format!("delete the BGP peer {peer}");
        let call = self
            .sdk
            .delete_bgp_peer()
            .virtual_interface_id(vif)
            .bgp_peer_id(peer);
        let sent = call.customize().config_override(asked_once()).send().await;
        let answer = sent.map_err(|error| self.error(what(), &error))?;
        let changed = answer.virtual_interface().map(convert::described);
        changed.ok_or_else(|| AwsError::incomplete(what(), &self.place, "virtual interface in it"))
    }

    async fn update(&self, id: &str, update: &VifUpdate) -> Result<VirtualInterface, AwsError> {
        let features = &update.features;
        let number = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
        let call = self
            .sdk
            .update_virtual_interface_attributes()
            .virtual_interface_id(id)
            .set_mtu(number(update.mtu))
            .set_virtual_interface_name(update.name.clone())
            .set_enable_site_link(features.site_link)
            .set_rate_limit(features.rate_limit.clone())
            .set_prefix_pool_allocated_count_ipv4(number(features.prefix_pool_ipv4))
            .set_prefix_pool_allocated_count_ipv6(number(features.prefix_pool_ipv6));
        let sent = call.customize().config_override(asked_once()).send().await;
        let answer =
            sent.map_err(|error| self.error(format!("change virtual interface {id}"), &error))?;
        Ok(virtual_interface!(&answer))
    }

    async fn tag(&self, arn: &str, tags: &[Tag]) -> Result<(), AwsError> {
        self.put_tags(arn, tags).await
    }

    async fn untag(&self, arn: &str, keys: &[String]) -> Result<(), AwsError> {
        self.remove_tags(arn, keys).await
    }

    async fn router_configuration(
        &self,
        id: &str,
        router_type: &str,
    ) -> Result<Zeroizing<String>, AwsError> {
        let answer = self
            .sdk
            .describe_router_configuration()
            .virtual_interface_id(id)
            .router_type_identifier(router_type)
            .send()
            .await;
        let answer = answer.map_err(|error| {
            self.error(format!("have a sample for {router_type} written"), &error)
        })?;
        Ok(Zeroizing::new(
            answer.customer_router_config.unwrap_or_default(),
        ))
    }

    async fn associate_macsec_key(&self, carrier: &str, secret: &str) -> Result<(), AwsError> {
        let input = json!({ "connectionId": carrier, "secretARN": secret });
        self.any("AssociateMacSecKey", &input).await.map(drop)
    }

    async fn disassociate_macsec_key(&self, carrier: &str, secret: &str) -> Result<(), AwsError> {
        let input = json!({ "connectionId": carrier, "secretARN": secret });
        self.any("DisassociateMacSecKey", &input).await.map(drop)
    }

    async fn secret(&self, at: &SecretAt) -> Result<Zeroizing<String>, AwsError> {
        self.secret_text(at).await
    }

    async fn delete(&self, id: &str) -> Result<String, AwsError> {
        let answer = self
            .sdk
            .delete_virtual_interface()
            .virtual_interface_id(id)
            .send()
            .await;
        let answer =
            answer.map_err(|error| self.error(format!("delete virtual interface {id}"), &error))?;
        Ok(answer
            .virtual_interface_state()
            .map_or("unknown", |s| s.as_str())
            .to_owned())
    }
}

impl Client {
    pub(super) fn unbuildable(
        &self,
        what: String,
        error: &aws_sdk_directconnect::error::BuildError,
    ) -> AwsError {
        AwsError::incomplete(what, &self.place, &error.to_string())
    }
}

/// No retries by the SDK: a create that timed out may have been done.
pub(super) fn asked_once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

/// The three `New…VirtualInterface` types share their fields, and nothing that
/// a generic function could use.
macro_rules! common_fields {
    ($builder:expr, $vif:expr) => {
        $builder
            .virtual_interface_name(&$vif.name)
            .vlan(i32::from($vif.vlan.id()))
            // `asnLong` alone: with `asn` beside it the API refuses.
            .asn_long(i64::from($vif.peer.asn.0))
            .address_family(address_family($vif.peer.family))
            .set_auth_key(key(&$vif.peer))
            .set_amazon_address($vif.peer.addresses.map(|pair| pair.amazon.to_string()))
            .set_customer_address($vif.peer.addresses.map(|pair| pair.customer.to_string()))
            .set_tags(tags(&$vif.tags)?)
    };
}

/// What private and transit interfaces have, and public ones don't.
macro_rules! leading_to_a_gateway {
    ($builder:expr, $vif:expr) => {{
        let features = &$vif.features;
        let number = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
        $builder
            .set_enable_site_link(features.site_link)
            .set_rate_limit(features.rate_limit.clone())
            .set_prefix_pool_allocated_count_ipv4(number(features.prefix_pool_ipv4))
            .set_prefix_pool_allocated_count_ipv6(number(features.prefix_pool_ipv6))
    }};
}

pub(super) type Built<T> = Result<T, aws_sdk_directconnect::error::BuildError>;

fn new_private(vif: &NewVif) -> Built<sdk::NewPrivateVirtualInterface> {
    let mut builder = leading_to_a_gateway!(
        common_fields!(sdk::NewPrivateVirtualInterface::builder(), vif),
        vif
    )
    .set_mtu(vif.mtu.and_then(|mtu| i32::try_from(mtu).ok()));
    builder = match &vif.gateway {
        Some(Gateway::Virtual(id)) => builder.virtual_gateway_id(id),
        Some(Gateway::DirectConnect(id)) => builder.direct_connect_gateway_id(id),
        None => builder,
    };
    builder.build()
}

fn new_transit(vif: &NewVif) -> Built<sdk::NewTransitVirtualInterface> {
    Ok(leading_to_a_gateway!(
        common_fields!(sdk::NewTransitVirtualInterface::builder(), vif),
        vif
    )
    .set_mtu(vif.mtu.and_then(|mtu| i32::try_from(mtu).ok()))
    .set_direct_connect_gateway_id(vif.gateway.as_ref().map(|g| g.id().to_owned()))
    .build())
}

fn new_public(vif: &NewVif) -> Built<sdk::NewPublicVirtualInterface> {
    let prefixes = vif.route_filter_prefixes.iter().map(|prefix| {
        sdk::RouteFilterPrefix::builder()
            .cidr(prefix.to_string())
            .build()
    });
    common_fields!(sdk::NewPublicVirtualInterface::builder(), vif)
        .set_route_filter_prefixes(
            Some(prefixes.collect()).filter(|list: &Vec<_>| !list.is_empty()),
        )
        .build()
}

pub(super) fn tags(tags: &[Tag]) -> Built<Option<Vec<sdk::Tag>>> {
    if tags.is_empty() {
        return Ok(None);
    }
    let tags = tags
        .iter()
        .map(|tag| sdk::Tag::builder().key(&tag.key).value(&tag.value).build());
    tags.collect::<Result<_, _>>().map(Some)
}

fn key(peer: &NewPeer) -> Option<String> {
    peer.key.as_ref().map(AuthKey::expose).map(str::to_owned)
}

fn address_family(family: Family) -> sdk::AddressFamily {
    match family {
        Family::Ipv4 => sdk::AddressFamily::IPv4,
        Family::Ipv6 => sdk::AddressFamily::IPv6,
    }
}

/// An empty token is no token.
pub(super) fn following(token: Option<&str>) -> Option<String> {
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}

fn check_url(url: &str) -> Result<(), Refused> {
    let well_formed = url.parse::<hyper::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
    });
    if well_formed {
        return Ok(());
    }
    Err(Refused::usage(format!(
        "`{url}` is no endpoint: write it as https://host or http://host:port"
    )))
}

fn endpoint_in_environment() -> Option<String> {
    ["AWS_ENDPOINT_URL_DIRECT_CONNECT", "AWS_ENDPOINT_URL"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|url| !url.is_empty())
}
