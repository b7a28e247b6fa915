//! What AWS has, as far as a site is about it.

use crate::aws::{AwsError, DirectConnect, Filter};
use crate::pick::Taken;
use crate::plan::Observed;
use crate::site::{CarrierKind, OWNER_TAG, Site};
use crate::{host, output};

/// A fixed number of listings, and one for each Direct Connect gateway that the
/// site is about.
pub(crate) async fn observe(aws: &impl DirectConnect, site: &Site) -> Result<Observed, AwsError> {
    let mut carriers = aws.connections().await?;
    if site.carriers.iter().any(|one| one.what == CarrierKind::Lag) {
        carriers.extend(aws.lags().await?);
    }
    let vifs = aws.virtual_interfaces(Filter::All).await?;
    let gateways = aws.gateways().await?;
    let mut associations = Vec::new();
    for gateway in &gateways {
        let named = site.gateways.iter().any(|wanted| match &wanted.id {
            Some(id) => gateway.id == *id,
            None => gateway.name == wanted.name,
        });
        let tag = |tag: &crate::aws::Tag| tag.key == OWNER_TAG && tag.value == site.name;
        if !gateway.is_gone() && (named || gateway.tags.iter().any(tag)) {
            associations.extend(aws.associations(&gateway.id).await?);
        }
    }
    Ok(Observed {
        region: aws.region().to_owned(),
        carriers,
        vifs,
        gateways,
        associations,
        host: host_addresses(),
        begun: Vec::new(),
    })
}

fn host_addresses() -> Vec<Taken> {
    match host::addresses() {
        Ok(used) => {
            let taken = used.into_iter().filter_map(|used| {
                Taken::new(used.net, format!("used by this host's {}", used.interface))
            });
            taken.collect()
        }
        Err(error) => {
            output::note(format_args!(
                "note: this host's addresses can't be read ({error}); only AWS's were looked at"
            ));
            Vec::new()
        }
    }
}
