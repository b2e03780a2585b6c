//! What the columns of the export are. Names are compared without case, blanks and signs; what is not known stays as it is.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// The row's own id.
    Id,
    /// When the lead was made.
    Created,
    /// A first and a last name together.
    FullName,
    /// A member of `UserDetails`.
    Person(&'static str),
    /// Where the customer was.
    Source,
    /// What the customer did.
    Action,
    /// The offer's id.
    OfferId,
    /// A text of the lead itself.
    Lead(&'static str),
    /// Anything else.
    Other,
}

/// Words before the name of a contact's column that say nothing more.
const BEFORE: [&str; 4] = ["customercontact", "primarycontact", "contact", "customer"];

impl Column {
    /// The column of this name.
    pub(super) fn of(name: &str) -> Self {
        let name = folded(name);
        let whole = match name.as_str() {
            "referralid" | "leadid" | "id" => Self::Id,
            "createddate" | "creationdate" | "createdon" | "createddatetime" | "datecreated" | "created" => {
                Self::Created
            }
            "contactname"
            | "customercontactname"
            | "customercontact"
            | "primarycontactname"
            | "primarycontact"
            | "contact"
            | "fullname" => Self::FullName,
            "customername"
            | "customer"
            | "customercompany"
            | "customercompanyname"
            | "customerorganization"
            | "company"
            | "companyname"
            | "organization"
            | "organizationname" => Self::Person("Company"),
            "leadsource" | "source" | "referralsource" => Self::Source,
            "actioncode" | "action" | "calltoaction" | "cta" => Self::Action,
            "offerid" => Self::OfferId,
            "offertitle" | "offername" | "offer" => Self::Lead("OfferTitle"),
            "description" | "notes" | "note" | "message" | "comments" | "customernotes" => Self::Lead("Description"),
            _ => Self::Other,
        };
        if whole != Self::Other {
            return whole;
        }
        let bare = BEFORE.into_iter().find_map(|before| name.strip_prefix(before)).unwrap_or(&name);
        person(bare).map_or(Self::Other, Self::Person)
    }
}

fn person(name: &str) -> Option<&'static str> {
    Some(match name {
        "firstname" | "givenname" => "FirstName",
        "lastname" | "familyname" | "surname" => "LastName",
        "email" | "emailaddress" | "mail" => "Email",
        "phone" | "phonenumber" | "telephone" => "Phone",
        "country" | "countryregion" | "countrycode" => "Country",
        "title" | "jobtitle" => "Title",
        _ => return None,
    })
}

/// A name without case, blanks and signs.
pub(super) fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_signs() {
        assert_eq!(Column::of("Referral ID"), Column::Id);
        assert_eq!(Column::of("referral_id"), Column::Id);
        assert_eq!(Column::of("Customer Name"), Column::Person("Company"));
        assert_eq!(Column::of("Customer Country/Region"), Column::Person("Country"));
        assert_eq!(Column::of("Contact e-mail"), Column::Person("Email"));
        assert_eq!(Column::of("Contact name"), Column::FullName);
        assert_eq!(Column::of("Call to action"), Column::Action);
        assert_eq!(Column::of("Marketplace Purchase Intent"), Column::Other);
    }
}
