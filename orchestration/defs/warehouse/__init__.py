"""The dbt project as assets: staging, intermediate, marts, and the api views."""
