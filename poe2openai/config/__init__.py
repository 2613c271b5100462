"""What the owner sets: the environment (`settings`) and models.yaml (`models_file`)."""
