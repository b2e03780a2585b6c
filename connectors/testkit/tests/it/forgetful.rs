//! A connector to Dataverse that logs in, and breaks one line of the contract of tokens on purpose.

use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::delivery::{Delivery, Receipt};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::fields::Fields;
use leadrelay_shared::http::header::{AUTHORIZATION, HeaderValue, IF_NONE_MATCH};
use leadrelay_shared::http::{Answer, Method, Url, kind_of_status};
use leadrelay_shared::oauth::{Token, Tokens};
use serde_json::{Map, Value};

/// Breaks the line of the contract that `SIN` names.
pub(crate) struct Forgetful<const SIN: u8 = 0> {
    context: Context,
    settings: Map<String, Value>,
    tokens: Tokens,
}

impl Forgetful {
    pub(crate) const NOTHING: u8 = 0;
    pub(crate) const ASKS_EACH_TIME: u8 = 1;
    pub(crate) const KEEPS_WHAT_IS_REFUSED: u8 = 2;
    pub(crate) const BLAMES_THE_LEAD: u8 = 3;
}

impl<const SIN: u8> Forgetful<SIN> {
    fn setting(&self, name: &str) -> &str {
        self.settings[name].as_str().expect("a text")
    }

    async fn ask(&self) -> Result<Token, DeliveryError> {
        let url = format!("{}/{}/oauth2/v2.0/token", self.setting("login_url"), self.setting("tenant_id"));
        let mut form: Url = "http://form".parse().expect("a url");
        let scope = format!("{}/.default", self.setting("url"));
        let fields = [("client_id", self.setting("client_id")), ("client_secret", self.setting("client_secret"))];
        form.query_pairs_mut().extend_pairs(fields);
        form.query_pairs_mut().extend_pairs([("grant_type", "client_credentials"), ("scope", &scope)]);
        let body = form.query().expect("a query").to_owned();
        let request = self.context.http.request(Method::POST, url.parse().expect("a url")).body(body);
        let answer = request.send().await?;
        let now = self.context.clock.now();
        let kind = match kind_of_status(answer.status) {
            None => {
                let granted: Value = serde_json::from_slice(answer.whole()?).unwrap_or_default();
                let token = granted["access_token"].as_str();
                let token = token.ok_or_else(|| DeliveryError::new(ErrorKind::Uncertain, "no token"))?;
                return Ok(Token::new(token.to_owned(), (), now, None));
            }
            Some(_) if SIN == Forgetful::BLAMES_THE_LEAD => ErrorKind::Rejected,
            Some(ErrorKind::Rejected) => ErrorKind::Unauthorized,
            Some(kind) => kind,
        };
        Err(DeliveryError::new(kind, "no").status(answer.status).retry_at(answer.retry_at(now)))
    }

    async fn send(&self, delivery: &Delivery) -> Result<Answer, DeliveryError> {
        let token = match SIN {
            Forgetful::ASKS_EACH_TIME => self.ask().await?.into(),
            _ => self.tokens.get(|| self.ask()).await?,
        };
        let url = format!("{}/api/data/v9.2/leads({})", self.setting("url"), delivery.id);
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.secret)).expect("a header");
        let request = self.context.http.request(Method::PATCH, url.parse().expect("a url"));
        let request = request.header(AUTHORIZATION, bearer).header(IF_NONE_MATCH, HeaderValue::from_static("*"));
        let answer = request.body(serde_json::to_vec(&delivery.record).expect("JSON")).send().await?;
        if answer.status == 401 && SIN != Forgetful::KEEPS_WHAT_IS_REFUSED {
            self.tokens.refused(&token);
        }
        Ok(answer)
    }
}

impl<const SIN: u8> Connector for Forgetful<SIN> {
    const NAME: &'static str = "forgetful";
    type Settings = Map<String, Value>;

    fn new(settings: Self::Settings, context: Context) -> Result<Self, String> {
        Ok(Self { tokens: Tokens::new(context.clock.clone()), context, settings })
    }

    async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let mut answer = self.send(delivery).await?;
        if answer.status == 401 {
            answer = self.send(delivery).await?;
        }
        match kind_of_status(answer.status) {
            None => Ok(Receipt::default()),
            Some(_) if answer.status == 412 => Ok(Receipt { existed: true, ..Receipt::default() }),
            Some(kind) => Err(DeliveryError::new(kind, "no").status(answer.status)),
        }
    }

    async fn check(&self) -> Result<Fields, DeliveryError> {
        self.ask().await.map(|_| Fields::any())
    }
}
