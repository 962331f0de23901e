-- singer.taps: rows of a source as messages. What `config` means: lib/singer.lua. Where no package is
-- named, the flow says which.
local script = use "lib.script"
local singer = use "lib.singer"

local PROPERTIES = { "PROPERTIES", "DISCOVER", "STATE" }
local OAUTH = "clientId;clientSecret;refreshToken"
local LOGIN = "host;port;username>user;password"

local TAPS = {
    { "GenericTap", features = PROPERTIES },
    { "BigQuery", command = "tap-bigquery", packages = { "tap-bigquery" }, google = true, features = { "CATALOG", "DISCOVER", "STATE" },
      config = "streams;limit;startAlwaysInclusive=true;startDateTime>start_datetime;endDateTime>end_datetime" },
    { "BingAds", command = "tap-bing-ads", packages = { "tap-bing-ads" },
      config = "developerToken;oauthClientId;oauthClientSecret;refreshToken;customerId;accountIds:,;startDate" },
    { "ChargeBee", command = "tap-chargebee", packages = { "tap-chargebee" },
      config = "apiKey;site;productCatalog:text=1.0;startDate" },
    { "ExchangeRateHost", command = "tap-exchangeratehost", needs_packages = true, features = { "STATE" },
      config = "base=EUR;startDate;endDate" },
    { "FacebookAds", command = "tap-facebook", packages = { "tap-facebook" }, features = PROPERTIES,
      config = "accountId;accessToken;insightsBufferDays=0;startDate;endDate" },
    { "Fastly", command = "tap-fastly", needs_packages = true, config = "apiToken;startDate" },
    { "GitHub", command = "tap-github", packages = { "tap-github" },
      config = "accessToken;repositories>repository:words;startDate;requestTimeout=300" },
    { "Gitlab", command = "tap-gitlab", packages = { "tap-gitlab" },
      config = "apiUrl=https://gitlab.com;private_token;groups:words;projects:words;ultimateLicense=false;"
          .. "fetchMergeRequestCommits=false;fetchPipelinesExtended=false;startDate" },
    { "GoogleAdwords", command = "tap-adwords", packages = { "tap-adwords" }, features = PROPERTIES,
      config = "developerToken;oauthClientId;oauthClientSecret;refreshToken;customerIds:,;startDate;endDate;"
          .. "conversionWindowDays=0;primaryKeys;userAgent=tap-adwords via Kestra" },
    { "GoogleAnalytics", command = "tap-google-analytics", needs_packages = true, google = "key_file_location",
      config = "oauthClientId>oauth_credentials.client_id;oauthClientSecret>oauth_credentials.client_secret;"
          .. "oauthAccessToken>oauth_credentials.access_token;oauthRefreshToken>oauth_credentials.refresh_token;"
          .. "view_id;reports:file;startDate;endDate" },
    { "GoogleSearchConsole", command = "tap-google-search-console", packages = { "tap-google-search-console" },
      config = OAUTH .. ";siteUrls:,;startDate;userAgent=tap-google-search-console via Kestra" },
    { "HubSpot", command = "tap-hubspot", packages = { "tap-hubspot" }, features = PROPERTIES,
      config = "redirectUri=https://api.hubspot.com/;" .. OAUTH .. ";apiKey>hapikey;requestTimeout;startDate" },
    { "Marketo", command = "tap-marketo", packages = { "tap-marketo" }, features = PROPERTIES,
      config = "endpoint;identity;clientId;clientSecret;startDate" },
    { "Netsuite", command = "tap-netsuite", needs_packages = true,
      config = "accountId>ns_account;consumerKey>ns_consumer_key;consumerSecret>ns_consumer_secret;tokenKey>ns_token_key;"
          .. "tokenSecret>ns_token_secret;selectFieldsByDefault;isSandbox;startDate" },
    { "PipelinewiseMongoDb", command = "tap-mongodb", packages = { "pipelinewise-tap-mongodb" }, features = PROPERTIES,
      config = LOGIN .. ";database;authDatabase;ssl:text=false;sslVerify>verify_mode:text=true;replicaSet;"
          .. "includeSchemaInStream>include_schemas_in_destination_stream_name:text=false;updateBufferSize=1;awaitTimeMs=1000" },
    { "PipelinewiseMysql", command = "tap-mysql", packages = { "pipelinewise-tap-mysql" }, features = PROPERTIES,
      config = LOGIN .. ";ssl:text=false;filterDbs:,;exportBatchRows=50000;"
          .. "sessionSqls=[\"SET @@session.time_zone='+0:00'\", \"SET @@session.wait_timeout=28800\"]" },
    { "PipelinewiseOracle", command = "tap-oracle", packages = { "pipelinewise-tap-oracle" }, features = PROPERTIES,
      config = LOGIN .. ";sid;filterSchemas:," },
    { "PipelinewisePostgres", command = "tap-postgres", packages = { "pipelinewise-tap-postgres" }, features = PROPERTIES,
      config = LOGIN .. ";dbName>dbname;ssl:text=false;logicalPollSeconds>logical_poll_total_seconds=10800;"
          .. "breakAtEndLsn>break_at_end_lsn=true;maxRunSeconds=43200;debugLsn>debug_lsn:text=false;filterSchemas:," },
    { "PipelinewiseSqlServer", command = "tap-mssql", packages = { "tap-mssql" }, features = PROPERTIES,
      config = LOGIN .. ";database;filterDbs:,;useDateDatatype=true;tdsVersion;characterSet>characterset;useSingerDecimal;"
          .. "cursorArraySize" },
    { "Quickbooks", command = "tap-quickbooks", packages = { "tap-quickbooks" },
      config = "selectFieldsByDefault=true;isSandbox=false;stateMessageThreshold=1000;maxWorkers=8;realmId>realmId;" .. OAUTH
          .. ";startDate" },
    { "Recharge", command = "tap-recharge", packages = { "tap-recharge" }, config = "accessToken;userAgent;startDate" },
    { "SageIntacct", command = "tap-intacct", packages = { "tap-intacct" },
      config = "companyId;senderId;senderPassword;userId;userPassword;startDate" },
    { "Salesforce", command = "tap-salesforce", packages = { "tap-salesforce" }, features = PROPERTIES,
      config = "apiType=BULK;selectFieldsByDefault=true;isSandbox=false;" .. OAUTH .. ";lookbackWindow=10;startDate" },
    { "Shopify", command = "tap-shopify", packages = { "tap-shopify" }, config = "shop;apiKey;startDate" },
    { "Slack", command = "tap-slack", packages = { "tap-slack" },
      config = "apiToken>token;startDate;privateChannels=true;publicChannels>join_public_channels=false;archivedChannels=false;"
          .. "channels;dateWindowSize=7" },
    { "Stripe", command = "tap-stripe", packages = { "tap-stripe" }, config = "accountId;clientSecret;startDate" },
    { "Zendesk", command = "tap-zendesk", packages = { "tap-zendesk" }, config = "subdomain;email;apiToken;accessToken;startDate" },
    { "Zoom", command = "tap-zoom", packages = { "tap-zoom" }, config = "jwt;" .. OAUTH },
}

local tasks = {}
for i, row in ipairs(TAPS) do
    local function run(props, host) return singer.tap(row, props, host) end
    tasks[i] = task {  -- what was begun may have written rows: nothing is repeated unasked
        implements = "io.kestra.plugin.singer.taps." .. row[1],
        effects = { "exec", "file", "kv" },
        run = run,
        plan = run,
        kill = script.kill,
    }
end
return tasks
