"""Train `pocket`, the dual encoder that VisionQuery ships, by distillation from a larger one."""
