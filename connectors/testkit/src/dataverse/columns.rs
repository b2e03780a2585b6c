//! The columns of a table.

/// One column of the environment's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its logical name.
    pub name: String,
    /// Its type, in the words of `AttributeType`: `String`, `Memo`, `Picklist`, `Boolean`, `Lookup`, ..
    pub kind: &'static str,
    /// The longest text, in UTF-16 units; 0 where it is no text.
    pub length: usize,
    /// It may be set on create.
    pub createable: bool,
    /// `None`, `Recommended`, `ApplicationRequired` or `SystemRequired`.
    pub level: &'static str,
    /// The options of a choice, with their labels.
    pub options: Vec<(i64, String)>,
    /// The navigation properties of a lookup, with the entity set that each leads to.
    pub navigation: Vec<(String, String)>,
    /// The text of no two rows may be the same (an alternate key of this column alone).
    pub is_key: bool,
}

impl Column {
    /// A column that may be set and left out.
    pub fn new(name: &str, kind: &'static str, length: usize) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            length,
            createable: true,
            level: "None",
            options: Vec::new(),
            navigation: Vec::new(),
            is_key: false,
        }
    }

    /// With these options.
    #[must_use]
    pub fn of(mut self, options: &[(i64, &str)]) -> Self {
        self.options = options.iter().map(|(number, label)| (*number, (*label).to_owned())).collect();
        self
    }

    /// With this level of requirement.
    #[must_use]
    pub fn level(mut self, level: &'static str) -> Self {
        self.level = level;
        self
    }

    /// A lookup by these navigation properties.
    pub fn lookup(name: &str, kind: &'static str, navigation: &[(&str, &str)]) -> Self {
        let navigation = navigation.iter().map(|(name, set)| ((*name).to_owned(), (*set).to_owned())).collect();
        Self { navigation, ..Self::new(name, kind, 0) }
    }

    fn read_only(name: &str, kind: &'static str, length: usize) -> Self {
        Self { createable: false, ..Self::new(name, kind, length) }
    }

    /// Whether it is written by a navigation property and not by its name.
    pub(super) fn is_lookup(&self) -> bool {
        matches!(self.kind, "Lookup" | "Owner" | "Customer")
    }
}

/// The columns of a lead (learn.microsoft.com, "Lead table/entity reference"), with the documented lengths.
pub(super) fn lead() -> Vec<Column> {
    let text = |name, length| Column::new(name, "String", length);
    let flag = |name| Column::new(name, "Boolean", 0);
    let sources = [(1, "Advertisement"), (2, "Employee Referral"), (4, "Partner"), (8, "Web"), (10, "Other")];
    vec![
        Column::new("leadid", "Uniqueidentifier", 0).level("SystemRequired"),
        text("subject", 300).level("ApplicationRequired"),
        text("lastname", 50).level("ApplicationRequired"),
        text("firstname", 50).level("Recommended"),
        Column::read_only("fullname", "String", 160),
        text("companyname", 100).level("Recommended"),
        text("emailaddress1", 100),
        text("telephone1", 50),
        text("mobilephone", 20),
        text("jobtitle", 100),
        text("address1_line1", 250),
        text("address1_city", 80),
        text("address1_stateorprovince", 50),
        text("address1_postalcode", 20),
        text("address1_country", 80),
        text("websiteurl", 200),
        Column::new("description", "Memo", 2000),
        Column::new("leadsourcecode", "Picklist", 0).of(&sources),
        Column::new("leadqualitycode", "Picklist", 0).of(&[(1, "Hot"), (2, "Warm"), (3, "Cold")]),
        Column::new("statecode", "State", 0)
            .of(&[(0, "Open"), (1, "Qualified"), (2, "Disqualified")])
            .level("SystemRequired"),
        Column::new("statuscode", "Status", 0).of(&[(1, "New"), (2, "Contacted")]),
        flag("donotemail"),
        flag("donotbulkemail"),
        flag("donotphone"),
        flag("donotpostalmail"),
        Column::new("numberofemployees", "Integer", 0),
        Column::new("revenue", "Money", 0),
        Column::new("estimatedclosedate", "DateTime", 0),
        Column::read_only("createdon", "DateTime", 0),
        Column::lookup("campaignid", "Lookup", &[("campaignid", "campaigns")]),
        Column::lookup("ownerid", "Owner", &[("ownerid", "systemusers"), ("ownerid", "teams")]).level("SystemRequired"),
        Column::lookup(
            "customerid",
            "Customer",
            &[("customerid_account", "accounts"), ("customerid_contact", "contacts")],
        ),
    ]
}
