{{/* The name of all objects, and of the fleet: at most 40 characters, so that there is room for a group's name behind it. */}}
{{- define "vedette.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects the members. */}}
{{- define "vedette.selector" -}}
app.kubernetes.io/name: vedette
app.kubernetes.io/instance: {{ include "vedette.name" . }}
{{- end -}}

{{- define "vedette.labels" -}}
{{ include "vedette.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ include "vedette.chart" . }}
{{- end -}}

{{- define "vedette.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" -}}
{{- end -}}

{{- define "vedette.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | quote -}}
{{- end -}}

{{/* One term of the members' anti-affinity; the topology is given. */}}
{{- define "vedette.apart" -}}
topologyKey: {{ .topology }}
labelSelector:
  matchLabels:
    {{- include "vedette.selector" .root | nindent 4 }}
{{- end -}}

{{/* The sample's redis.conf. */}}
{{- define "vedette.redis-conf" -}}
# Whoever may reach the port is said by the NetworkPolicy. With a password: requirepass and masterauth, the same one everywhere.
protected-mode no
dir /data
appendonly yes
# A Pod without a role, or cut off from the primary, refuses reads, too: what it holds may be old. With "yes" it serves them.
replica-serve-stale-data no
{{- with .Values.redis.extraConfig }}
{{- . | trim | nindent 0 }}
{{ end }}
{{- end -}}
