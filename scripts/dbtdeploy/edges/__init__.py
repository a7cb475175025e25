"""The only modules that touch the world: S3, dbt, GitHub, the Actions runner."""
