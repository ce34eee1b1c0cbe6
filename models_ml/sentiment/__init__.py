"""What news and posts say: their topics, the tokens they mention, and whether that is good or bad.

Belongs here: pure functions from texts to tags and scores. Does not: fetching texts (`orchestration/sources`), counts and means by
token and day (the dbt project), the tone that GDELT measures.
"""
