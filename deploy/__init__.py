"""What a deployment needs: the image and its lock, the compiled build, a composition, alert rules, a dashboard."""
