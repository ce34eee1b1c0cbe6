"""What news say: topics of headlines, and the tokens they mention.

Belongs here: pure functions from titles to tags. Does not: fetching headlines (`orchestration/sources`), counting tags by token
and day (the dbt project), tone (GDELT measures it).
"""
