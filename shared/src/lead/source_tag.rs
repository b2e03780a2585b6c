//! The marketplace's `LeadSource` member, in both forms that Microsoft documents.
//!
//! Either the source alone (`AzureMarketplace`, the HTTPS page's example) or `Source-Action|publisher.offer` ("Understand
//! lead data"; blanks around the bar are seen). Nothing in it is ever refused: an unknown value is kept as it is.

/// The parts of a `LeadSource`; each is empty where the text does not hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceTag {
    /// `AzureMarketplace`, `AzurePortal`, `TestDrive`, `SPZA` (AppSource), or whatever was sent.
    pub source: String,
    /// `INS`, `PLT`, `DNC`, `Create`, `StartTestDrive`, or whatever was sent.
    pub action: String,
    /// The publisher's id: what stands before the first dot of the offer part.
    pub publisher: String,
    /// The offer's id: what stands after that dot, or the whole part where there is no dot.
    pub offer: String,
}

impl SourceTag {
    /// Splits once at the first `|`, the left part once at the first `-`, the right part once at the first `.`.
    pub fn parse(text: &str) -> Self {
        let (left, right) = split_once(text, '|');
        let (source, action) = split_once(left, '-');
        let (publisher, offer) = match split_once(right, '.') {
            (offer, "") => ("", offer),
            parts => parts,
        };
        Self { source: source.into(), action: action.into(), publisher: publisher.into(), offer: offer.into() }
    }
}

fn split_once(text: &str, at: char) -> (&str, &str) {
    let (left, right) = text.split_once(at).unwrap_or((text, ""));
    (left.trim(), right.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> [String; 4] {
        let SourceTag { source, action, publisher, offer } = SourceTag::parse(text);
        [source, action, publisher, offer]
    }

    #[test]
    fn both_documented_forms_and_anything_else() {
        assert_eq!(tag("AzureMarketplace"), ["AzureMarketplace", "", "", ""]);
        assert_eq!(
            tag("AzureMarketplace-INS|checkpoint.check-point-r77-10sg-byol"),
            ["AzureMarketplace", "INS", "checkpoint", "check-point-r77-10sg-byol"]
        );
        assert_eq!(tag("SPZA-DNC | contoso.add-in"), ["SPZA", "DNC", "contoso", "add-in"]);
        assert_eq!(tag("AppSource (SPZA)-PLT|contoso.a.b"), ["AppSource (SPZA)", "PLT", "contoso", "a.b"]);
        assert_eq!(tag("X-Y|Offer Name"), ["X", "Y", "", "Offer Name"]);
        assert_eq!(tag("  "), ["", "", "", ""]);
        assert_eq!(tag("-|."), ["", "", "", ""]);
    }
}
