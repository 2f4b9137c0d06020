"""The fal.ai side: a concurrent RQ worker and the job that makes a picture."""
