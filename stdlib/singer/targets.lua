-- singer.targets: messages of a tap into a destination. What `config` means: lib/singer.lua.
local script = use "lib.script"
local singer = use "lib.singer"

local LOGIN = "host;port;username>user;password"
local MELTANO = ";streamMaps;streamMapConfig;flatteningEnabled;flatteningMaxDepth"
-- What the three of PipelineWise have in common.
local LOADER = ";batchSizeRows=100000;flushAllStreams=false;parallelism=0;defaultTargetSchema;"
    .. "addMetadataColumns=false;hardDelete=false;dataFlatteningMaxLevel=0;primaryKeyRequired=true;validateRecords=false"

local TARGETS = {
    { "GenericTarget" },
    { "AdswerveBigQuery", command = "target-bigquery", needs_packages = true, google = true,
      config = "projectId;datasetId;location;validateRecords=false;addMetadataColumns=false;replicationMethod=append;"
          .. "tablePrefix;tableSuffix;maxCache=50;mergeStateMessages=false;tableConfigs>table_config:file" },
    { "Csv", command = "target-csv", packages = { "target-csv" }, output = ".csv",
      config = "delimiter=,;quoteCharacters>quotechar=\"" },
    { "DatamillCoPostgres", command = "target-postgres", packages = { "singer-target-postgres" },
      config = "host>postgres_host;port>postgres_port;username>postgres_username;password>postgres_password;"
          .. "dbName>postgres_database;schema>postgres_schema=public;sslMode>postgres_sslmode=prefer;"
          .. "invalidRecordsDetect=true;invalidRecordsThreshold=0;loggingLevel=INFO;persistEmptyTables=false;"
          .. "maxBatchRows=200000;maxBufferSize=104857600;batchDetectionThreshold;addUpsertIndexes=true;"
          .. "beforeRunSql>before_run_sql;afterRunSql>after_run_sql" },
    { "Json", command = "target-json", packages = { "target-json" }, output = ".jsonl" },
    { "MeltanoSnowflake", command = "target-snowflake", packages = { "meltanolabs-target-snowflake" },
      config = "account;database;username>user;password;warehouse;schema;role;addRecordMetadata=true;defaultTargetSchema"
          .. ";flatteningEnabled;flatteningMaxDepth" },
    { "Oracle", command = "target-oracle", needs_packages = true,
      config = LOGIN .. ";database;driverName;preferFloatOverNumeric" .. MELTANO },
    { "PipelinewisePostgres", command = "target-postgres", packages = { "pipelinewise-target-postgres" },
      config = LOGIN .. ";dbName>dbname" .. LOADER .. ";maxParallelism>parallelism_max=16;"
          .. "defaultTargetSchemaSelectPermission" },
    { "PipelinewiseRedshift", command = "target-redshift", packages = { "pipelinewise-target-redshift" },
      config = LOGIN .. ";dbName>dbname" .. LOADER .. ";maxParallelism>parallelism_max=16;s3Bucket>s3_bucket;"
          .. "accessKeyId>aws_access_key_id;secretAccessKey>aws_secret_access_key;sessionToken>aws_session_token;"
          .. "redshiftCopyRoleArn>aws_redshift_copy_role_arn;s3Acl>s3_acl;s3KeyPrefix>s3_key_prefix;copyOptions;"
          .. "defaultTargetSchemaSelectPermissions;schema_mapping;disableTableCache=false;skipUpdates=false;"
          .. "compression=bzip2;slices=1" },
    { "PipelinewiseSnowflake", command = "target-snowflake", packages = { "pipelinewise-target-snowflake[snowflake]" },
      config = "account;database>dbname;username>user;password;warehouse;role" .. LOADER .. ";awsAccessKeyId;"
          .. "awsSecretAccessKey;awsSessionToken;awsProfile;s3Bucket>s3_bucket;s3KeyPrefix>s3_key_prefix;"
          .. "s3EndpointUrl>s3_endpoint_url;s3RegionName>s3_region_name;s3Acl>s3_acl;stage;fileFormat;"
          .. "batchWaitLimit>batch_wait_limit_seconds;parallelismMax=16;defaultTargetSchemaSelectPermission;schemaMapping;"
          .. "disableTableCache=false;clientSideEncryptionMasterKey;noCompression=false;queryTag;archiveLoadFiles=false;"
          .. "archiveLoadFilesS3Prefix>archive_load_files_s3_prefix;archiveLoadFilesS3Bucket>archive_load_files_s3_bucket" },
    { "SqlServer", command = "target-mssql", needs_packages = true,
      config = LOGIN .. ";database;defaultTargetSchema;tablePrefix;preferFloatOverNumeric" .. MELTANO },
}

local tasks = {}
for i, row in ipairs(TARGETS) do
    local function run(props, host) return singer.target(row, props, host) end
    tasks[i] = task {  -- what was begun may have written rows: nothing is repeated unasked
        implements = "io.kestra.plugin.singer.targets." .. row[1],
        effects = { "exec", "file", "kv" },
        run = run,
        plan = run,
        kill = script.kill,
    }
end
return tasks
